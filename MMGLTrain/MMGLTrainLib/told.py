"""What errands do and tell, as the panel says it and as the study takes it."""

from slicer.i18n import tr as _

from mmgl.finding import Finding as Said
from mmgl.messages import CATALOGUE
from mmgl.study.checks import Choice, Finding, Severity
from mmgl.study.meanings import SAID
from MMGLLib.messages import MMGLError, unwritable

IN_OUR_WORDS = {
    "check.none_held_out": "slicer.none_held_out",
    "check.unknown_segment": "slicer.unknown_segment",
    "check.unnamed_value": "slicer.unnamed_value",
}
"""Findings whose words are meant for a terminal, and those that say it here."""


CALL_IT = "\n"
"""The answer that a structure is called as its segment is now; no structure has such a name."""


class Told(MMGLError):
    """What an errand said in words."""

    def __init__(self, key, words, parameters=None):
        Exception.__init__(self, words)
        self.key, self.parameters = key, parameters or {}


def together(errors):
    """Return errors as one, each in a line of its own."""
    facts = [fact for error in errors for fact in error.parameters.values()]
    keys, words = (dict.fromkeys(part) for part in zip(*((error.key, str(error)) for error in errors), strict=True))
    return Told(", ".join(keys), "\n".join(words), {str(number): fact for number, fact in enumerate(facts)})


def in_our_words(finding):
    """Return a finding with words for this panel."""
    key = IN_OUR_WORDS.get(finding["key"])
    return {**finding, "words": Said(key, finding["parameters"]).words} if key else finding


def painted(slices, told):
    """Return what is painted in a case in words: pairs of a name and how many slices, and what else is told of it."""
    words = {0: _("{name} not labelled"), 1: _("{name} 1 slice")}
    parts = [words.get(count, _("{name} {count} slices")).format(name=name, count=count) for name, count in slices]
    return "\n".join([", ".join(parts), *told])


def of_renamed(question, structure):
    """Return the question what a segment is that was made for a structure, and has another name now."""
    parameters = {"name": question["parameters"]["name"], "structure": structure.name}
    same = [choice for choice in question["choices"] if choice[0] == structure.name]
    rest = [choice for choice in question["choices"] if choice not in same]
    choices = [[CALL_IT, Said("slicer.call_it", parameters).words], *same, *rest]
    return {
        **question,
        "words": Said("slicer.renamed_segment", parameters).words,
        "choices": choices,
        "default": CALL_IT,
    }


def taken_for(meaning, structures):
    """Return what the segments of a name are taken for, in words."""
    called = {structure.id: structure.name for structure in structures}
    return called.get(meaning.number, _("nothing to be learned"))


def of_meaning(meaning, structures):
    """Return the question what the segments of a name are of which that was said before; the old answer comes first."""
    called = {structure.id: structure.name for structure in structures}
    said = {number: words for words, number in SAID.items()} | called
    value = said.get(meaning.number, "")
    choices = [[name, Said("choice.same", {"structure": name}).words] for name in called.values()]
    choices += [[meaning.name, CATALOGUE["choice.new"]], ["", CATALOGUE["choice.ignore"]]]
    facts = {"name": meaning.name, "labels": meaning.labels, "meaning": taken_for(meaning, structures)}
    words = Said("slicer.meaning", facts).words
    asked = {"key": "check.unknown_segment", "severity": "question", "case": "", "words": words}
    parameters = {"name": meaning.name}
    return {**asked, "parameters": parameters, "choices": choices, "default": value, "structures": []}


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
    return error if isinstance(error, MMGLError) else unwritable(error)
