"""The options of ``mmgl study ...``, and their help."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmgl.layouts import LAYOUTS
from mmgl.structures import Colour, parse_colour


def add_study(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``study`` with its actions."""
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
    colour = actions.add_parser("colour", help="give a structure another colour")
    colour.add_argument("study", type=Path, help="folder of the study")
    colour.add_argument("name")
    colour.add_argument("colour", type=_colour, metavar="COLOUR", help="such as '#d64949'")
    colour.set_defaults(command="study_colour")
    check = actions.add_parser("check", help="look for what would spoil the training, and say how to put it right")
    check.add_argument("study", type=Path, help="folder of the study")
    check.set_defaults(command="study_check")
    answer = actions.add_parser("answer", help="answer what the check asks")
    answer.add_argument("study", type=Path, help="folder of the study")
    answer.add_argument("key", help="the question, as mmgl study check names it")
    answer.add_argument("answer", help="one of its answers")
    answer.add_argument("cases", nargs="*", metavar="CASE", help="the cases it holds for; all of them unless given")
    answer.set_defaults(command="study_answer")
    pack = actions.add_parser("pack", help="write a folder to train with on another computer, without patients' names")
    pack.add_argument("study", type=Path, help="folder of the study")
    pack.add_argument("folder", type=Path, help="new folder that gets everything")
    pack.set_defaults(command="study_pack")
    model = actions.add_parser("add-model", help="bring back a model that was trained on another computer")
    model.add_argument("study", type=Path, help="folder of the study")
    model.add_argument("model", type=Path, help="the .mmgl file")
    model.set_defaults(command="study_add_model")
    show = actions.add_parser("show", help="list structures and cases")
    show.add_argument("study", type=Path, help="folder of the study")
    show.set_defaults(command="study_show")


def _colour(text: str) -> Colour:
    """Return the colour written as ``#rrggbb``."""
    try:
        return parse_colour(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a colour such as #d64949") from error


def _count(text: str) -> int:
    """Return a whole number above zero."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of patients")
    return value


def _share(text: str) -> float:
    """Return a number between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value
