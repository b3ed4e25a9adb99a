"""What a reader of the documents relies on: names are those on the screen, headings are there, figures are measured."""

import json
import re

import pytest
from phantoms import ball_scan, write
from test_documents import DOCUMENTS, REPOSITORY, names

from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.messages import CATALOGUE
from mmgl.methods import METHODS
from mmgl.structures import Structure
from mmgl.study import Study

SLICER = {
    "Edit",
    "Application Settings",
    "Modules",
    "Additional module paths",
    "View",
    "Python Console",
    "Show 3D",
    "Segmentations",
}
"""Names of Slicer's own that the documents use, and of other programs."""
OTHERS = {"Code", "Download ZIP", "Command Prompt", "Reload and Test", "italics"}


def screen():
    """Return everything that stands on a panel: of the forms, of the code, and the answers to questions."""
    said = {words for key, words in CATALOGUE.items() if key.startswith("choice.")}
    for form in REPOSITORY.glob("MMGL*/Resources/UI/*.ui"):
        said |= set(re.findall(r"<string>([^<]+)</string>", form.read_text(encoding="utf-8")))
    for module in [*REPOSITORY.glob("MMGL*/**/*.py")]:
        said |= set(re.findall(r'_\(\s*"([^"]+)"', module.read_text(encoding="utf-8")))
    return {re.sub(r"{\w+}", "…", words).rstrip(".") for words in said}


def prose(document):
    """Return the text of a document on one line, without code."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"`[^`]*`", "", text).replace("\n", " ")


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_what_is_in_italics_stands_on_the_screen(document):
    known = screen() | SLICER | OTHERS
    for name in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", prose(document)):
        assert name in known, name


def anchors(document):
    """Return what links can point to in a document: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_links_to_headings_lead_to_them(document):
    for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text(encoding="utf-8")):
        assert heading in anchors(document.parent / target if target else document), heading


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_pictures_have_words_for_who_cannot_see_them(document):
    for words, target in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        assert len(words) > 20, target


def test_the_scores_of_the_front_page_are_those_that_were_measured():
    lines = (REPOSITORY / "benchmarks/accuracy/partial.jsonl").read_text(encoding="utf-8").splitlines()
    measured = {f"{dice:.3f}"[1:] for run in map(json.loads, lines) for dice in run["dice"].values()}
    (table,) = re.findall(r"\| what was labelled .*?\n\n", (REPOSITORY / "README.md").read_text("utf-8"), re.DOTALL)
    shown = re.findall(r"\.\d{3}", table)
    assert len(shown) == 9
    assert set(shown) <= measured


def test_the_time_of_the_hardware_page_is_that_which_was_measured():
    run = json.loads((REPOSITORY / "benchmarks/accuracy/partial.jsonl").read_text(encoding="utf-8").splitlines()[0])
    text = (REPOSITORY / "docs/hardware.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"{run['steps']} steps on the scans of {run['patients']} patients" in text
    assert f"took {run['train_seconds'] / 60:.0f} minutes" in text


def test_the_methods_page_names_every_method_and_where_its_equations_are():
    text = (REPOSITORY / "docs/methods.md").read_text(encoding="utf-8")
    for name, (file, _, _) in METHODS.items():
        assert f"`{name}`" in text
        assert f"`{file}.py`" in text


def test_the_study_of_the_scripting_page(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(
        r"```py\n(import mmgl\n.*?)```", (REPOSITORY / "docs/scripting.md").read_text("utf-8"), re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        image, labelmap, grid = ball_scan(number)
        name = "new" if number == 3 else f"ball-{number}"
        structures = [Structure(1, "LV" if number == 3 else "Left ventricle", (200, 60, 60))]
        write(tmp_path / "scans" / f"{name}.nii.gz", image, grid)
        write_segmentation(tmp_path / "labels" / f"{name}.seg.nrrd", (labelmap > 0).astype("uint8"), grid, structures)
    study = Study.create("heart")
    for number in range(3):
        study.add_case(f"scans/ball-{number}.nii.gz", label=f"labels/ball-{number}.seg.nrrd")
    study.save()
    exec(compile(code, "scripting.md", "exec"), {})
    assert "['ball-0', 'ball-1', 'ball-2'] 0 ['Left ventricle']" in capsys.readouterr().out
    again = Study.open("heart")
    assert [s.name for s in again.structures] == ["Left ventricle"]
    assert len(again.labelled) + len(again.checks) == 4
    assert len(again.checks) == 1
