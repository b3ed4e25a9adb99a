"""The options of the command line, and their help."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from mmgl import __version__
from mmgl.run_options import add_queue, add_report, add_train, finite
from mmgl.study_options import add_study

SUGGESTED = "suggested"
"""Takes the place of names: the structures for which the model suggests it."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="mmgl",
        description="Segment your own structures from a handful of labelled scans and a folder of unlabelled ones.",
        epilog="Everything stays on this computer. Not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"mmgl {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    add_study(commands)
    add_train(commands)
    add_report(commands)
    add_queue(commands)
    _add_segment(commands)
    _add_next(commands)
    _add_evaluate(commands)
    _add_demo(commands)
    _add_worker(commands)
    return parser


def _add_segment(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    segment = commands.add_parser("segment", help="segment scans with a model")
    segment.add_argument("model", type=Path, help="the .mmgl file")
    segment.add_argument(
        "scans",
        type=Path,
        nargs="+",
        metavar="SCAN",
        help="scans and sequences; a folder that holds DICOM files is one scan, any other folder all scans below it",
    )
    segment.add_argument(
        "--output",
        type=Path,
        required=True,
        help="folder for the results; nothing is overwritten, and the same command goes on where it was left",
    )
    segment.add_argument(
        "--format",
        default="seg.nrrd",
        choices=["seg.nrrd", "seg.dcm", "nii.gz", "nrrd", "png"],
        help="seg.nrrd keeps names and colours (default), and so does seg.dcm, DICOM SEG for scans in DICOM",
    )
    segment.add_argument("--device", default="auto", help="auto, cpu or cuda")
    segment.add_argument("--record", type=Path, metavar="FOLDER", help="gets status and events, for who follows it")
    segment.add_argument("--structures", nargs="+", default=[], metavar="NAME", help="only these (default all)")
    segment.add_argument(
        "--region", type=_region, metavar="X:X,Y:Y,Z:Z", help="only these voxels, such as 100:300,80:280,20:60"
    )
    largest = f"keep only the largest piece of these structures, of all, or of those the model suggests ({SUGGESTED})"
    segment.add_argument("--largest-piece", nargs="*", metavar="NAME", help=largest)
    segment.add_argument("--fill-holes", nargs="*", metavar="NAME", help="fill holes of these structures, or of all")
    segment.add_argument("--finer", action="store_true", help="smooth surfaces across thick slices, on a finer grid")
    segment.add_argument("--mirror", action="store_true", help="average with mirrored slices; models of pictures only")
    segment.add_argument("--fast", action="store_true", help="in eight bits: two to three times as fast on a processor")
    segment.add_argument("--smooth", action="store_true", help="sequences: let neighbouring frames count too")
    segment.add_argument("--doubt", action="store_true", help="write a map of doubt beside each result")
    segment.add_argument(
        "--shard", default="", metavar="2/8", help="this part of a folder; env: as torchrun or a SLURM array says"
    )
    segment.set_defaults(command="segment")


def _add_worker(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    worker = commands.add_parser("worker")  # without help it is not listed: programs start it, not people
    worker.add_argument("folders", type=Path, nargs="+")
    worker.add_argument("--idle", type=float, required=True)
    worker.set_defaults(command="worker")


def _add_next(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    following = commands.add_parser("next", help="say which unlabelled scans of a study to label next, and why")
    following.add_argument("study", type=Path, help="folder of the study")
    following.add_argument("model", type=Path, help="the .mmgl file")
    following.add_argument("--count", type=int, default=5, help="how many to name (default 5)")
    following.add_argument("--device", default="auto", help="auto, cpu or cuda")
    following.set_defaults(command="next")


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = commands.add_parser(
        "evaluate", help="compare results with reference labels: Dice, HD95, surface distance"
    )
    evaluate.add_argument("results", type=Path, help="folder of results")
    evaluate.add_argument(
        "references",
        type=Path,
        help="folder of reference labels with the same names; or a study, then what is not labelled does not count",
    )
    evaluate.add_argument(
        "--structures", nargs="+", metavar="NAME", help="names of the values 1, 2, ..., or VALUE=NAME"
    )
    evaluate.add_argument("--csv", type=Path, help="write one row per case and structure")
    evaluate.add_argument("--report", type=Path, help="write a one-page HTML report")
    evaluate.add_argument("--images", type=Path, help="folder of the scans, for the pictures of the report")
    evaluate.set_defaults(command="evaluate")


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="train two methods on phantom hearts and compare them, in a few minutes")
    demo.add_argument(
        "--output", type=Path, default=Path("mmgl-demo"), help="folder for everything (default mmgl-demo)"
    )
    demo.add_argument("--minutes", type=finite, default=2.4, help="training time of each method (default 2.4)")
    demo.add_argument("--device", default="auto", help="auto, cpu or cuda")
    demo.set_defaults(command="demo")


def _region(text: str) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return ranges along z, y, x from those written along x, y, z."""
    found = re.fullmatch(",".join(["([0-9]{1,6}):([0-9]{1,6})"] * 3), text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} does not say which voxels; write it as 100:300,80:280,20:60")
    x, x_end, y, y_end, z, z_end = (int(number) for number in found.groups())
    return (z, z_end), (y, y_end), (x, x_end)
