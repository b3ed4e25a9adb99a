"""The extension as Slicer builds and installs it: every file arrives, and it works without the source tree."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("slicer_stand_in")
PARTS = ("mmgl", "MMGLLib", "MMGLSegment", "MMGLTrain")
MODULES = Path("lib/Slicer-5.12/qt-scripted-modules")


def cmake(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run CMake, and return how it went."""
    command = [sys.executable, "-m", "cmake", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


def configured(source: Path, build: Path) -> subprocess.CompletedProcess[str]:
    """Configure the extension against the stand-in of Slicer."""
    options = [f"-DSlicer_DIR={STAND_IN}", f"-DCMAKE_INSTALL_PREFIX={build / 'installed'}", "-DBUILD_TESTING=ON"]
    return cmake("-S", source, "-B", build, *options)


def sources(part: str) -> set[str]:
    """Return the files of a part of the repository that belong to the extension."""
    found = (path for path in (REPOSITORY / part).rglob("*") if path.is_file())
    names = {path.relative_to(REPOSITORY / part).as_posix() for path in found if "__pycache__" not in path.parts}
    return names - {"CMakeLists.txt"}


def needs_compiler() -> None:
    """Skip where CMake or a compiler, which every project of CMake's wants to see, is missing."""
    if importlib.util.find_spec("cmake") is None:
        pytest.skip("needs cmake, which the extra 'test' installs")
    if sys.platform != "win32" and not (shutil.which("c++") and shutil.which("make")):
        pytest.skip("needs a compiler and make")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the extension was built and installed."""
    needs_compiler()
    build = tmp_path_factory.mktemp("build")
    for done in (configured(REPOSITORY, build), cmake("--build", build), cmake("--install", build)):
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "installed" / MODULES


def test_every_file_is_installed_and_no_other(installed):
    found = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    wanted = {f"{part}/{name}" for part in ("mmgl", "MMGLLib") for name in sources(part)}
    wanted |= {name for part in PARTS[2:] for name in sources(part)}
    assert len(wanted) > 100
    assert found == wanted


def test_the_wheel_holds_the_whole_core():
    try:
        files = importlib.metadata.files("mmgl")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("mmgl is not installed here")
    found = {path.relative_to("mmgl").as_posix() for path in files if path.parts[0] == "mmgl" and path.suffix != ".pyc"}
    assert found == sources("mmgl")


def test_a_misspelt_file_is_refused(tmp_path):
    needs_compiler()
    for part in ("Testing", *PARTS):
        shutil.copytree(REPOSITORY / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "CMakeLists.txt", tmp_path)
    module = tmp_path / "MMGLSegment" / "CMakeLists.txt"
    module.write_text(module.read_text(encoding="utf-8").replace("MMGLSegment.py", "MMGLSegmnet.py"), encoding="utf-8")
    done = configured(tmp_path, tmp_path / "build")
    assert done.returncode != 0
    assert "there is no file MMGLSegmnet.py" in done.stderr


def test_the_installed_module_segments_on_the_bench(installed, tmp_path):
    names = {str(found.metadata["Name"]).lower().replace("_", "-") for found in importlib.metadata.distributions()}
    if not {"slicer-core", "pyside6-essentials"} <= names:
        pytest.skip("needs slicer-core and PySide6-Essentials, which the extra 'test' installs where they exist")
    program = f"""
import sys
sys.path.insert(0, {str(REPOSITORY / "Testing" / "slicer")!r})
import bench, panels, mmgl, MMGLLib
from pathlib import Path
installed = Path({str(installed)!r})
widget = panels.open_module()
import MMGLSegment
places = [Path(mmgl.__file__).parents[1], Path(MMGLLib.__file__).parents[1], Path(MMGLSegment.__file__).parent]
assert places == [installed] * 3, places
widget.cleanup()
import unittest, test_segment_logic
name = "SegmentTest.test_the_real_core_gives_the_same_with_and_without_slicer"
suite = unittest.defaultTestLoader.loadTestsFromName(name, test_segment_logic)
sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
"""
    environment = {**os.environ, "MMGL_INSTALLED": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_catalogue_entry_agrees_with_the_description():
    entry = json.loads((REPOSITORY / "Resources" / "MMGL.json").read_text(encoding="utf-8"))
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    said = dict(re.findall(r'set\(EXTENSION_(\w+) "([^"]*)"', text))
    allowed = {
        "$schema",
        "build_dependencies",
        "build_subdirectory",
        "category",
        "enabled",
        "scm_revision",
        "scm_url",
        "tier",
    }
    assert set(entry) == allowed  # the schema of the index refuses any other
    assert re.search(r"^project\(MMGL\)$", text, re.MULTILINE)
    assert entry["category"] == said["CATEGORY"]
    assert entry["build_subdirectory"] == said["BUILD_SUBDIRECTORY"]
    assert entry["build_dependencies"] == said["DEPENDS"].split()
    assert entry["scm_url"] == said["HOMEPAGE"] + ".git"
    place = (
        said["HOMEPAGE"].replace("https://github.com", "https://raw.githubusercontent.com")
        + f"/{entry['scm_revision']}/"
    )
    for url in (said["ICONURL"], *said["SCREENSHOTURLS"].split()):
        assert url.startswith(place)
        assert (REPOSITORY / url.removeprefix(place)).is_file()
