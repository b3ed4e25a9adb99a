"""What lies on the desk while a study is open: the study, what is known of its cases, and work that is being done."""

from pathlib import Path

from mmgl.finding import Finding as Said
from mmgl.study import Use
from mmgl.study.checks import Severity
from MMGLLib import sources, training_cases
from MMGLLib.errand import FOLDER, Errands
from MMGLLib.messages import MMGLError
from MMGLTrainLib.adding import Adding
from MMGLTrainLib.told import Told, as_finding, in_our_words, mark


class Desk:
    """The open study of a logic, and the errands that are run for it.

    Args:
        logic: of the module.

    Attributes:
        facts: of each case, by its name: size, spacing, modality, and what is painted (``errands.survey``).
        findings: of the checks, as ``errands.told`` gives them.
        adding: the folders that are being added (``Adding``).
        missing: the first file that is not there, by the names of the cases that miss one.
        begun: the names of the cases of which something is painted that is not done.
        onChanged: called when something here is new.
        onStructures: called with the structures as they were, when one of them has another name or colour.
        onFail: called with an ``MMGLError`` that is to be shown.
    """

    def __init__(self, logic):
        self._logic, self.errands = logic, Errands()
        self.onChanged = self.onFail = self.onStructures = lambda *_: None
        self.forget()

    def forget(self):
        """End what is being done, and know nothing of any study."""
        self.errands.close()
        self.facts, self.findings, self.missing, self.begun = {}, [], {}, set()
        self.surveyed, self.adding = False, Adding(self, self._heard)

    @property
    def asked(self):
        """What must be answered before the scans of a folder can be added."""
        return self.adding.asked

    @property
    def opened(self):
        """The open study (``OpenStudy``), or None."""
        return self._logic.opened

    @property
    def study(self):
        """The study as it is now, or None."""
        return self.opened.study if self.opened is not None else None

    @property
    def writable(self):
        """Whether there is a study, and it may be changed."""
        return self.opened is not None and not self.opened.read_only and not self.opened.is_gone()

    def change(self, how):
        """Change the study and say so; what goes wrong is shown, and then the answer is False."""
        return self._changed(lambda: self.opened.change(how) or True)

    def survey(self):
        """Have all cases looked at."""
        self.errands.ask("survey", self._heard, study=str(self.study.folder))

    def poll(self):
        """Look at what is being done, and whether somebody else has changed the study."""
        worked = bool(self.errands.busy)
        self.errands.poll()
        if worked and not self.errands.busy:
            self.onChanged()  # what waited for its end can be done again
        if self.opened is None:
            return
        self.opened.beat()
        self._changed(self.opened.refresh)

    def add_folder(self, folder):
        """Have the scans of a folder added, with their labels."""
        self.adding.add(folder)

    def fill_sample(self):
        """Have the sample made in the study."""
        self.errands.ask("sample", self._heard, study=str(self.study.folder), into=FOLDER)

    def add_source(self, source):
        """Add one volume of the scene, with what is painted on it, or one DICOM series.

        Returns the run that does it, or None for a series: call its ``poll`` until it has ended.

        Raises:
            MMGLError: with words that say what to do.
        """
        self.opened.require_writable()
        if source.image is None and (painted := sources.segmentation_of(source.volume)) is not None:
            return training_cases.AddingCase(painted, source.volume, self.study.folder)
        if any(case.name == source.name for case in self.study.cases):
            raise MMGLError("study.duplicate_case", case=source.name)
        if source.image is None:
            return sources.AddingVolume(source.volume, self.study.folder, lambda event: self._join(source, event))
        image = {"path": str(source.image.path), "series": source.image.series, "patient": source.patient}
        folder = str(self.study.folder)
        self.errands.ask("series", self._heard, study=folder, case=source.name, into=FOLDER + "/found", **image)
        return None

    def _changed(self, how):
        """Do what returns whether it changed the study; where it did, show what is new, and return whether it did."""
        before = self.study.structures
        try:
            if not how():
                return False
        except MMGLError as error:
            self.onFail(error)
            return False
        if self.study.structures != before:
            self.onStructures(before)
        self.survey()
        self.onChanged()
        return True

    def _join(self, source, event):
        """Let a volume join the study that is a file now."""
        if event["event"] == "done":
            self.opened.change(lambda study: study.add_case(event["file"], name=source.name))

    def understand(self, case, path, meanings, onEvent):
        """Have a label understood that was just painted."""
        self.errands.ask(
            "label", onEvent, study=str(self.study.folder), case=case, path=str(path), meanings=dict(meanings)
        )

    def answer(self, finding, value, everywhere=False):
        """Answer a question: of the labels of a folder that waits, or of the checks; there for all scans at will."""
        if finding in self.asked:
            self.adding.answer(finding, value)
            self.onChanged()
            return
        alike = [
            other
            for other in self.findings
            if other is finding or (everywhere and other["key"] == finding["key"] and other["choices"])
        ]
        asked = [as_finding(other) for other in alike]
        self.findings = [other for other in self.findings if other not in alike]
        self.change(lambda study: [study.answer(one, value) for one in asked])

    def skip(self, finding):
        """Leave a finding be: a case that cannot be used is left out, anything else is not shown again."""
        self.findings.remove(finding)
        if finding["severity"] == Severity.ERROR.value and finding["case"]:
            self.change(lambda study: study.set_use(finding["case"], Use.LEAVE_OUT))
            return

        def how(study):
            study.answered = (*study.answered, mark(finding))

        self.change(how)

    def open_findings(self):
        """Return what is to be shown, the gravest first."""
        skipped = set(self.study.answered) if self.study else set()
        shown = [f for f in self.findings if f["severity"] != Severity.NOTE.value and mark(f) not in skipped]
        names = {case.name for case in self.study.cases} if self.study else set()
        return [
            *self.asked,
            *self._gone(),
            *(f for f in shown if not f["case"] or f["case"] in names - set(self.missing)),
        ]

    @staticmethod
    def told(event):
        """Return the error that an errand told of."""
        return Told(event["key"], event["words"], event.get("parameters"))

    def _gone(self):
        """Return one finding for all files that are not where they were."""
        if not self.missing:
            return []
        parameters = {"count": len(self.missing), "folder": str(next(iter(self.missing.values())).parent)}
        words = Said("slicer.files_gone", parameters).words
        told = {"key": "slicer.files_gone", "severity": "error", "case": "", "words": words}
        return [{**told, "parameters": parameters, "choices": [], "default": "", "structures": []}]

    def _heard(self, event):
        """Take over what an errand has found."""
        kind = event["event"]
        if kind == "progress":
            return  # the panel looks at it by itself, now and then
        if kind == "missing":
            self.missing = {name: Path(file) for name, file in event["files"].items()}
            self.begun = set(event["begun"])
        elif kind == "surveyed":
            self.facts, self.findings, self.surveyed = (
                event["facts"],
                [in_our_words(f) for f in event["findings"]],
                True,
            )
        elif kind == "found":
            self._take(event)
        elif kind == "failed":
            fail = self.adding.fail if self.errands.busy in ("add", "series") else self.onFail
            fail(self.told(event))
        self.onChanged()

    def _take(self, event):
        """Let the cases that were found join the study."""
        try:
            first = not any(case.label for case in self.study.cases)
            if event["count"]:
                self.opened.take_in(event["folder"])
            if first and not self.study.checks:
                self.opened.change(lambda study: study.split_checks())
            if event["skipped"]:
                raise MMGLError("slicer.skipped", count=len(event["skipped"]), words=event["skipped"][0])
        except MMGLError as error:
            self.adding.fail(error)
        self.survey()
