"""The part of ``slicer.packaging`` (Slicer 5.12) that installs what a module needs; nothing is installed here."""

from __future__ import annotations

asked: list[dict] = []
"""What was asked for since the test began."""


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
):
    """Keep the wish; the application installs what is missing after asking."""
    asked.append({"requirements": list(requirements), "constraints": constraints, "requester": requester})
    return []


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    parent=None,
    logCallback=None,
    completedCallback=None,
):
    """Keep the wish; a test that asked without waiting calls the callbacks that are kept with it."""
    if blocking:
        raise AssertionError("it would wait")
    calls = {"logCallback": logCallback, "completedCallback": completedCallback}
    asked.append({"requirements": requirements, "constraints": constraints, "requester": requester, **calls})


def isPipInstallInProgress():
    """Return whether something that was asked for without waiting goes on."""
    return bool(asked)
