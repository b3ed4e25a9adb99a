"""Setting up changes no package of a neighbour, shown with an index of tiny wheels: no network, and nothing is big."""

import os
import zipfile

import pytest
from neighbours import freeze, make_environment, pip, set_up


def wheel(folder, name, version, *requires):
    """Write a wheel with a module in it that knows its version."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    information = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{information}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{information}/RECORD": record}.items():
            archive.writestr(file, text)


@pytest.fixture
def python(tmp_path, monkeypatch):
    """A Python with old neighbours, and an index where newer ones wait and the newer of two PyTorch wants them."""
    pytest.importorskip("pip")
    index = tmp_path / "wheels"
    index.mkdir()
    for version in ("1.0", "2.0"):
        wheel(index, "numpy", version)
        wheel(index, "monai", version, "numpy")
        wheel(index, "nibabel", version, "numpy")
    wheel(index, "sight", "1.0+cpu", "numpy<2")
    wheel(index, "sight", "2.0")
    wheel(index, "torch", "2.4.0", "numpy")
    wheel(index, "torch", "2.5.0", "sight>=2")
    wheel(index, "torch", "2.8.0", "numpy>=2", "nibabel>=2", "sight>=2")
    wheel(index, "torch", "2.9.1", "numpy")
    wheel(index, "safetensors", "0.4.0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    python = make_environment(tmp_path / "slicer")
    pip(python, "install", "numpy==1.0", "monai==1.0", "nibabel==1.0", "sight==1.0+cpu")
    return python


def test_what_is_there_keeps_its_version(python, tmp_path):
    """Also where a package lies in a second place, as beside Slicer and in the user's own: the first one counts."""
    other = tmp_path / "of the user"
    pip(python, "install", "--target", str(other), "--no-deps", "numpy==2.0")
    before = freeze(python)
    careless = pip(python, "install", "--dry-run", "torch>=2.2,!=2.9.*", "safetensors")
    assert "Would install nibabel-2.0 numpy-2.0 safetensors-0.4.0 sight-2.0 torch-2.8.0" in careless
    set_up(python, {"MMGL_OTHER": str(other)})
    after = freeze(python)
    assert {name: after[name] for name in before} == before
    assert {name: after[name] for name in set(after) - set(before)} == {"torch": "2.4.0", "safetensors": "0.4.0"}
