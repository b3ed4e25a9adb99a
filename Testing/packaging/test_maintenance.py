"""What keeps the project in order: workflows, templates, changelog and bounds of versions say what is so."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import mmgl

yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the extra 'test' installs")

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
PROGRAMS = {
    "bash",
    "pip",
    "pytest",
    "sudo",
    "apt-get",
    "curl",
    "tar",
    "mkdir",
    "test",
    "xvfb-run",
    "for",
    "done",
    "exit",
}
"""What the systems of the workflows have, or their steps install; a new one is added here with a thought."""
MADE = ("slicer/",)
"""What a step of a workflow makes before it is used."""


def project(part):
    """Return the requirements in a list of pyproject.toml."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    return [Requirement(r) for r in re.findall(r'"([^"]+)"', re.search(rf"^{part} = \[(.*?)\]", text, re.S | re.M)[1])]


def pinned(name):
    """Return the versions in a file of constraints."""
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): Version(version) for package, version in pins}


def steps():
    """Yield job, its description and each of its steps, of all workflows."""
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items():
            for step in job["steps"]:
                yield f"{file.name}:{name}", job, step


COMMANDS = [(where, step["run"]) for where, _, step in steps() if "run" in step]


def test_workflows_have_the_form_that_is_asked_for():
    assert WORKFLOWS
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert set(workflow) == {"name", True, "permissions", "jobs"}  # YAML takes "on" for true
        assert workflow["permissions"] == {"contents": "read"}
    for where, job, step in steps():
        assert set(job) <= {"runs-on", "steps", "strategy", "env", "needs", "timeout-minutes"}, where
        assert re.fullmatch(r"(ubuntu|windows|macos)-[\d.]+|\$\{\{ matrix\.system \}\}", job["runs-on"]), where
        assert ("uses" in step) != ("run" in step), where
        assert set(step) <= {"uses", "run", "with", "name", "env", "shell", "if"}, where
        assert re.fullmatch(r"runner\.os == '(Linux|Windows|macOS)'", step.get("if", "runner.os == 'Linux'")), where
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/checkout@v4")), where
        for word in re.findall(r"\$\{\{ *(\w+)\.(\w+) *\}\}", str(step) + job["runs-on"]):
            known = {"matrix": job.get("strategy", {}).get("matrix", {}), "env": job.get("env", {})}
            assert word[1] in known[word[0]], (where, word)


def test_the_core_is_tried_on_all_systems_and_the_oldest_and_a_newer_python():
    (job,) = {id(job): job for where, job, _ in steps() if where.endswith(":core")}.values()
    matrix = job["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "windows", "macos"}
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'requires-python = ">=([\d.]+)"', text)[1]
    assert oldest in matrix["python"]
    assert max(map(Version, matrix["python"])) > Version(oldest)
    assert f'python_version = "{oldest}"' in text
    assert f'target-version = "py{oldest.replace(".", "")}"' in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("where", "command"), COMMANDS)
def test_commands_of_workflows_are_bash(where, command):
    done = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, (where, done.stderr)


@pytest.mark.parametrize(("where", "command"), COMMANDS)
def test_commands_of_workflows_name_what_is_there(where, command):
    lexed = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=";&|\n")
    lexed.whitespace, lexed.whitespace_split = " \t", True
    first = True
    for word in lexed:
        if set(word) <= set(";&|\n"):
            first = True
            continue
        if word in ("do", "then"):
            continue
        if first and not re.match(r"\w+=", word):
            assert word in PROGRAMS or word.startswith(MADE), (where, word)
        first = False
        if re.fullmatch(r"[\w.-]+(/[\w.*-]+)+", word) and not word.startswith(MADE):
            assert list(REPOSITORY.glob(word)), (where, word)
        if extra := re.fullmatch(r"\.\[(\w+)\]", word):
            assert project(extra[1])


def test_every_dependency_is_pinned_within_its_bounds():
    pins, oldest = pinned("constraints.txt"), pinned("Testing/oldest.txt")
    required = project("dependencies")
    for requirement in [*required, *project("test"), *project("dicom"), *project("benchmark")]:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement
    assert {canonicalize_name(requirement.name) for requirement in required} == set(oldest)
    for requirement in required:
        name = canonicalize_name(requirement.name)
        assert requirement.specifier.contains(oldest[name]), requirement
        assert oldest[name] < pins[name], requirement


def test_the_changelog_tells_of_this_version_in_whole_sentences():
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \((unreleased|\d{4}-\d\d-\d\d)\)", version) for version in versions)
    assert versions[0].split()[0] == mmgl.__version__
    numbers = [Version(version.split()[0]) for version in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    for change in re.findall(r"^- (.*?)(?=^- |^## |\Z)", text, re.MULTILINE | re.DOTALL):
        assert re.search(r"[.:]\s*$", change), change


def test_issue_templates_have_a_head_and_ask_for_no_scans():
    for file in (REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.md"):
        _, head, body = file.read_text(encoding="utf-8").split("---\n", 2)
        assert set(yaml.safe_load(head)) == {"name", "about"}
        assert len(body.strip()) > 50
    assert "No scans of" in (REPOSITORY / ".github" / "ISSUE_TEMPLATE" / "fault.md").read_text(encoding="utf-8")
