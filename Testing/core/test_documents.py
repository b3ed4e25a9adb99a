"""What the documents say is there: links, files, commands and code."""

import dataclasses
import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from test_slices import PLAN, prepared

from mmgl.data.slices import SliceSampler
from mmgl.options import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("*/README.md")]


def names(path):
    return path.relative_to(REPOSITORY).as_posix()


@pytest.fixture(params=DOCUMENTS, ids=names)
def document(request):
    return request.param


def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


def test_files_that_are_named_are_there(document):
    text = document.read_text(encoding="utf-8")
    for name in set(re.findall(r"`((?:mmgl|MMGL\w+|Testing|benchmarks|docs|Resources)/[\w./-]*\w)", text)):
        made = name.endswith(".jsonl")  # by the first run of a benchmark
        assert made or (REPOSITORY / name).exists(), name
    for name in set(re.findall(r"\b(test_\w+\.py)`", text)):
        assert list((REPOSITORY / "Testing").rglob(name)), name
    for name in set(re.findall(r"python ((?:benchmarks|Testing)/\S+\.py)", text)):
        assert (REPOSITORY / name).exists(), name


def commands(text):
    """Yield the words after each ``mmgl`` in blocks of shell."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"\n|&&", block.replace("\\\n", " ")):
            words = shlex.split(part, comments=True)
            if words and Path(words[0]).name == "mmgl":
                yield words[1:]


def test_commands_are_understood(document):
    text = document.read_text(encoding="utf-8")
    for words in commands(text):
        try:
            build_parser().parse_args(words)
        except SystemExit as end:
            raise AssertionError(f"mmgl {' '.join(words)}") from end
    for mark in re.findall(r"`mmgl ([a-z]+(?: [a-z]+)?)[^`]*`", text):
        with pytest.raises(SystemExit) as end:
            build_parser().parse_args([*mark.split(), "--help"])
        assert end.value.code == 0, mark


def test_json_and_workflows_are_whole():
    json.loads((REPOSITORY / "Resources" / "MMGL.json").read_text(encoding="utf-8"))
    workflow = (REPOSITORY / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    for folder in re.findall(r"(?:pytest|paths) ((?:\w+/\w+ ?)+)", workflow):
        assert all((REPOSITORY / name).is_dir() for name in folder.split()), folder


def test_the_method_of_the_guide_trains(tmp_path):
    (code,) = re.findall(
        r"```python\n(.*?)```", (REPOSITORY / "docs/add-a-method.md").read_text(encoding="utf-8"), re.DOTALL
    )
    place: dict = {}
    exec(compile(code, "add-a-method.md", "exec"), place)
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    slices = SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))
    method = place["EntropyMinimisation"](
        dataclasses.replace(PLAN, width=4, batch=4, levels=4, normalisation=PLAN.normalisation * 3), 1
    )
    (stage,) = method.stages
    before = [p.detach().clone() for p in stage.parameters()]
    optimiser = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    terms = stage.loss(stage.batch(slices, torch.device("cpu")), 0.9)
    torch.stack(list(terms.values())).sum().backward()
    optimiser.step()
    assert set(terms) == {"supervised", "entropy"}
    assert any(not torch.equal(p, old) for p, old in zip(stage.parameters(), before, strict=True))


def test_the_oldest_versions_are_those_that_are_allowed():
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    required = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)[1]
    allowed = dict(re.findall(r'"([\w-]+)>=([\d.]+)', required))
    listed = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (REPOSITORY / "Testing/oldest.txt").read_text("utf-8"), re.M))
    assert listed == allowed


def test_the_licence_is_free_and_the_same_everywhere():
    assert (REPOSITORY / "LICENSE").read_text(encoding="utf-8").split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert 'license = { text = "Apache-2.0" }' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert "Apache-2.0, see [LICENSE]" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
