"""What errands do and tell, as the panel says it and as the study takes it."""

from slicer.i18n import tr as _

from mmgl.finding import Finding as Said
from mmgl.study.checks import Choice, Finding, Severity
from MMGLLib.messages import MMGLError

IN_OUR_WORDS = {
    "check.none_held_out": "slicer.none_held_out",
    "check.unknown_segment": "slicer.unknown_segment",
    "check.unnamed_value": "slicer.unnamed_value",
}
"""Findings whose words are meant for a terminal, and those that say it here."""


class Told(MMGLError):
    """What an errand said in words."""

    def __init__(self, key, words, parameters=None):
        Exception.__init__(self, words)
        self.key, self.parameters = key, parameters or {}


def in_our_words(finding):
    """Return a finding with words for this panel."""
    key = IN_OUR_WORDS.get(finding["key"])
    return {**finding, "words": Said(key, finding["parameters"]).words} if key else finding


def mark(finding):
    """Return what stands in the study for a finding that was left be."""
    return f"{finding['key']} {finding['case']} {finding['words']}"[:1000] if finding["case"] else finding["key"]


def as_finding(told):
    """Return the finding that an errand told, as the study takes it."""
    choices = tuple(Choice(value, words) for value, words in told["choices"])
    return Finding(
        told["key"],
        {**told["parameters"]},
        severity=Severity(told["severity"]),
        case=told["case"],
        choices=choices,
        default=told["default"],
        structures=tuple(told["structures"]),
    )


def doing(errand):
    """Return what an errand does, in words."""
    words = {
        "add": _("Finding the scans"),
        "series": _("Looking at the DICOM series"),
        "sample": _("Making the sample hearts"),
        "survey": _("Looking at your scans"),
        "label": _("Keeping the label"),
    }
    return words.get(errand, "")


def as_ours(error):
    """Return an error of the system as one that can be shown."""
    if isinstance(error, MMGLError):
        return error
    return MMGLError("file.unwritable", path=error.filename, reason=error.strerror or str(error))
