"""``mmgl segment``: scans one by one, or whole folders."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import torch

from mmgl.device import keep_memory
from mmgl.finding import Finding
from mmgl.imaging.dicom import find_series
from mmgl.imaging.image_files import stem
from mmgl.inference.files import Writer, Written
from mmgl.inference.folder_run import FolderRun, Outcome, items_of
from mmgl.inference.predictor import Predictor
from mmgl.inference.settings import Settings
from mmgl.inference.spikes import spike_findings
from mmgl.jobs import Record
from mmgl.manners import awake
from mmgl.messages import MMGLError
from mmgl.model import Card
from mmgl.options import SUGGESTED
from mmgl.study.folders import find_images


def segment(options: argparse.Namespace) -> int:
    """Segment every scan that can be: one that cannot is told of, and does not hold up the others."""
    shard = shard_of(options.shard, os.environ)
    if options.shard == "env" and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    keep_memory()
    with awake(), Record(options.record) if options.record else nullcontext() as record:
        predictor = Predictor(options.model, options.device)
        settings = _settings(options, predictor.card)
        if len(options.scans) == 1 and _is_folder_of_scans(options.scans[0]):
            return _folder(options, predictor, settings, shard, record)
        if options.shard:
            raise MMGLError("segment.shard_of_files")
        return _files(options, predictor, settings, record)


def _files(options: argparse.Namespace, predictor: Predictor, settings: Settings, record: Record | None) -> int:
    """Segment scans one by one."""
    writer = Writer(predictor, settings, options.format, options.smooth, _tell)
    failed = 0
    for done, scan in enumerate(options.scans, start=1):
        _stop_if_asked(record, done - 1, len(options.scans))
        told: dict[str, str] = {}
        volumes: list[list[float]] = []
        try:
            for written in writer.write(scan, options.output / stem(scan)):
                _report(scan, written)
                told = {"written": str(written.path)}
                if written.frame is not None:
                    volumes.append(written.result.volumes(len(predictor.structures)))
            for leap in spike_findings([s.name for s in predictor.structures], volumes):
                _tell(scan, leap)
        except MMGLError as error:
            if error.key == "scan.no_image_in_folder":
                error = MMGLError("scan.not_one", path=scan)
            print(f"mmgl: {error}", file=sys.stderr)
            failed = 1
            told = {"key": error.key, "words": str(error)}
        if record:
            record.tell("segmented", done=done, of=len(options.scans), scan=str(scan), **told)
    return failed


def _stop_if_asked(record: Record | None, done: int, count: int) -> None:
    """Raise ``segment.stopped`` where the one who follows has asked for it."""
    if record and record.stop_asked():
        raise MMGLError("segment.stopped", done=done, of=count)


def _folder(
    options: argparse.Namespace, predictor: Predictor, settings: Settings, shard: tuple[int, int], record: Record | None
) -> int:
    """Segment a folder into a mirrored one, and go on where it was left."""
    folder = options.scans[0].resolve()
    output = options.output.resolve()
    if folder == output:
        raise MMGLError("segment.same_folder", path=folder)

    left_out: list[tuple[Path, MMGLError]] = []
    found = find_images(
        folder, output if output.is_relative_to(folder) else None, lambda path, error: left_out.append((path, error))
    )
    series = Counter(image.path for _, image in found)
    items = items_of(folder, [(name if series[i.path] > 1 else "", i.path, i.series) for name, i in found])
    if not items and not left_out:
        raise MMGLError("scan.no_image_in_folder", path=folder)
    run = FolderRun(predictor, output, settings, options.format, options.smooth)
    for path, error in left_out:
        run.leave_out(path.relative_to(folder).as_posix(), error)
        print(f"mmgl: {error}", file=sys.stderr)
    done = 0

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        if outcome.error:
            print(f"mmgl: {outcome.error}", file=sys.stderr)
        for path in outcome.written:
            print(f"{outcome.item.name} -> {path}", flush=True)
        if record:
            told = {"key": outcome.error.key, "words": str(outcome.error)} if outcome.error else {}
            record.tell("segmented", done=done, of=len(items), scan=outcome.item.name, **told)
        _stop_if_asked(record, done, len(items))

    skipped = run.run(items, shard, tell)
    words = f"{done - skipped} of {done} scans are segmented"
    print(f"{words}; volumes, doubt and what was skipped are in {output / 'results.csv'}")
    return 1 if skipped or left_out else 0


def _is_folder_of_scans(path: Path) -> bool:
    """Return whether a path is a folder that is not one scan of DICOM files."""
    return path.is_dir() and not find_series(path)


def _settings(options: argparse.Namespace, card: Card) -> Settings:
    """Return the settings that the options say; an option for structures without names means all of them."""
    names = [structure.name for structure in card.structures]
    suggests = options.largest_piece == [SUGGESTED] and SUGGESTED not in names
    if suggests and not card.one_piece:
        print(Finding("tidy.none_suggested").words, flush=True)

    def some(chosen: list[str] | None) -> tuple[str, ...]:
        return () if chosen is None else tuple(chosen or names)

    settings = Settings(
        region=options.region,
        structures=tuple(options.structures),
        largest=tuple(card.one_piece) if suggests else some(options.largest_piece),
        filled=some(options.fill_holes),
        finer=options.finer,
        mirror=options.mirror,
        fast=options.fast,
        doubt_map=options.doubt,
    )
    return settings


def shard_of(text: str, environment: Mapping[str, str]) -> tuple[int, int]:
    """Return which part of how many, from 1, is meant by ``2/8``, by ``env``, or by nothing (all).

    ``env`` is what ``torchrun`` or a job array of SLURM says in the environment. It must be asked for, because an array
    may well give each of its jobs a folder of its own.

    Raises:
        MMGLError: ``segment.shard``.
    """
    if not text:
        return 1, 1
    if text == "env" and "WORLD_SIZE" in environment:
        text = f"{int(environment['RANK']) + 1}/{environment['WORLD_SIZE']}"
    elif text == "env" and "SLURM_ARRAY_TASK_ID" in environment:
        first, step = (int(environment.get(f"SLURM_ARRAY_TASK_{k}", d)) for k, d in (("MIN", "0"), ("STEP", "1")))
        number = (int(environment["SLURM_ARRAY_TASK_ID"]) - first) // step + 1
        text = f"{number}/{environment.get('SLURM_ARRAY_TASK_COUNT', '')}"
    found = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise MMGLError("segment.shard", shard=text)
    return int(found[1]), int(found[2])


def _tell(path: Path, finding: Finding) -> None:
    print(f"{path}: {finding.words}", flush=True)


def _report(scan: Path, written: Written) -> None:
    """Print where a result is, what was changed in it, and where to look twice."""
    print(f"{scan} -> {written.path}", flush=True)
    for finding in written.result.findings:
        print(f"  {finding.words}")
    doubt = written.result.doubt
    if names := [s.structure for s in doubt.structures if s.check]:
        slices = ", ".join(f"{s.plane} {s.index}" for s in doubt.slices)
        print(f"  Check: {', '.join(names)}" + (f" (slices {slices})" if slices else ""), flush=True)
