"""The options of the command line, and their help."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from mmgl import __version__
from mmgl.layouts import LAYOUTS
from mmgl.run_options import add_queue, add_report, add_train, finite


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="mmgl",
        description="Segment your own structures from a handful of labelled scans and a folder of unlabelled ones.",
        epilog="Everything stays on this computer. Not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"mmgl {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_study(commands)
    add_train(commands)
    add_report(commands)
    add_queue(commands)
    _add_segment(commands)
    _add_next(commands)
    _add_evaluate(commands)
    _add_demo(commands)
    return parser


def _add_study(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    study = commands.add_parser("study", help="make a study, add scans to it, look at it")
    actions = study.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make an empty study in a folder")
    new.add_argument("study", type=Path, help="folder of the study")
    new.set_defaults(command="study_new")
    layouts = "\n".join(f"  {name:<10} {layout.title}" for name, layout in LAYOUTS.items())
    add = actions.add_parser(
        "add",
        help="add the scans of a folder, with the labels of another folder if given",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"layouts of published data sets, whose labels are found and whose structures are named:\n{layouts}",
    )
    add.add_argument("study", type=Path, help="folder of the study")
    add.add_argument("images", type=Path, help="folder of scans (NIfTI, NRRD, MetaImage, DICOM, PNG, JPEG)")
    add.add_argument("--labels", type=Path, help="folder of labels with the same names as the scans")
    add.add_argument(
        "--structures",
        nargs="+",
        default=[],
        metavar="VALUE=NAME",
        help="what the values or segment names of the labels are, such as 1=Anterior; 9= leaves 9 out, 4=? says that "
        "nobody labelled what has the value 4, and 5=background that it is background",
    )
    add.add_argument("--only", nargs="+", default=[], metavar="NAME", help="add only scans with these names")
    add.add_argument("--patient", metavar="PATTERN", help=r"regular expression that finds the patient in a file name")
    add.add_argument("--check", action="store_true", help="hold these cases out to choose the best model")
    add.add_argument("--layout", choices=LAYOUTS, metavar="NAME", help="the folder is a published data set, see below")
    add.add_argument(
        "--labelled", type=_count, metavar="N", help="with --layout: read the labels of the first N patients"
    )
    add.add_argument(
        "--split", type=Path, metavar="FILE", help="with --layout: JSON lists of patients, train, val and test"
    )
    add.set_defaults(command="study_add")
    merge = actions.add_parser("merge", help="let the cases of another study join, such as a second labeller's")
    merge.add_argument("study", type=Path, help="folder of the study")
    merge.add_argument("other", type=Path, help="folder of the study whose cases join; it is not changed")
    merge.add_argument(
        "--structures",
        nargs="+",
        default=[],
        metavar="NAME=NAME",
        help="what structures of the other study are here; 'LV=' leaves LV out",
    )
    merge.set_defaults(command="study_merge")
    split = actions.add_parser("split", help="hold out some labelled patients to choose the best model")
    split.add_argument("study", type=Path, help="folder of the study")
    split.add_argument("--fraction", type=_share, default=0.2, help="of the labelled patients (default 0.2)")
    split.add_argument("--seed", type=int, default=0)
    split.set_defaults(command="study_split")
    use = actions.add_parser("use", help="say what cases are for: train, check or leave-out")
    use.add_argument("study", type=Path, help="folder of the study")
    use.add_argument("use", choices=["train", "check", "leave-out"])
    use.add_argument("cases", nargs="+", metavar="CASE", help="names, as mmgl study show lists them")
    use.set_defaults(command="study_use")
    remove = actions.add_parser("remove", help="take cases out of the study; their files stay where they are")
    remove.add_argument("study", type=Path, help="folder of the study")
    remove.add_argument("cases", nargs="+", metavar="CASE", help="names, as mmgl study show lists them")
    remove.set_defaults(command="study_remove")
    rename = actions.add_parser("rename", help="give a structure another name")
    rename.add_argument("study", type=Path, help="folder of the study")
    rename.add_argument("name")
    rename.add_argument("new_name", metavar="NEW_NAME")
    rename.set_defaults(command="study_rename")
    check = actions.add_parser("check", help="look for what would spoil the training, and say how to put it right")
    check.add_argument("study", type=Path, help="folder of the study")
    check.set_defaults(command="study_check")
    answer = actions.add_parser("answer", help="answer what the check asks")
    answer.add_argument("study", type=Path, help="folder of the study")
    answer.add_argument("key", help="the question, as mmgl study check names it")
    answer.add_argument("answer", help="one of its answers")
    answer.add_argument("cases", nargs="*", metavar="CASE", help="the cases it holds for; all of them unless given")
    answer.set_defaults(command="study_answer")
    show = actions.add_parser("show", help="list structures and cases")
    show.add_argument("study", type=Path, help="folder of the study")
    show.set_defaults(command="study_show")


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
        choices=["seg.nrrd", "nii.gz", "nrrd", "png"],
        help="seg.nrrd keeps names and colours (default)",
    )
    segment.add_argument("--device", default="auto", help="auto, cpu or cuda")
    segment.add_argument("--record", type=Path, metavar="FOLDER", help="gets status and events, for who follows it")
    segment.add_argument("--structures", nargs="+", default=[], metavar="NAME", help="only these (default all)")
    segment.add_argument(
        "--region", type=_region, metavar="X:X,Y:Y,Z:Z", help="only these voxels, such as 100:300,80:280,20:60"
    )
    for option, words in (("--largest-piece", "keep only the largest piece"), ("--fill-holes", "fill the holes")):
        segment.add_argument(option, nargs="*", metavar="NAME", help=f"{words} of these structures, or of all")
    segment.add_argument("--finer", action="store_true", help="smooth surfaces across thick slices, on a finer grid")
    segment.add_argument("--mirror", action="store_true", help="average every slice with its mirror image")
    segment.add_argument("--refine", action="store_true", help="sharpen borders with a dense CRF")
    segment.add_argument("--smooth", action="store_true", help="sequences: let neighbouring frames count too")
    segment.add_argument("--doubt", action="store_true", help="write a map of doubt beside each result")
    segment.add_argument(
        "--shard", default="", metavar="2/8", help="this part of a folder; env: as torchrun or a SLURM array says"
    )
    segment.set_defaults(command="segment")


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
    evaluate.add_argument("references", type=Path, help="folder of reference labels with the same names")
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


def _count(text: str) -> int:
    """Return a whole number above zero."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of patients")
    return value


def _region(text: str) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return ranges along z, y, x from those written along x, y, z."""
    found = re.fullmatch(",".join(["([0-9]{1,6}):([0-9]{1,6})"] * 3), text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} does not say which voxels; write it as 100:300,80:280,20:60")
    x, x_end, y, y_end, z, z_end = (int(number) for number in found.groups())
    return (z, z_end), (y, y_end), (x, x_end)


def _share(text: str) -> float:
    """Return a number between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value
