"""A study on disk: the structures, the cases with their labels, and which cases are held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmgl.files import write_json
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.image_files import stem
from mmgl.imaging.scan import Scan
from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study.cases import Case, ImageLike, Use, absolute, as_images, clean_name, is_case_name
from mmgl.study.checks import Finding, answer, check
from mmgl.study.document import read_document, to_document
from mmgl.study.extents import Extent
from mmgl.study.meanings import SAID
from mmgl.study.questions import understood_label
from mmgl.study.splits import choose_patients, pseudonym
from mmgl.study.structure_list import StructureList
from mmgl.study.voxels import LabelVoxels, read_common_header, read_label, read_scan

FILE = "study.json"


@dataclass
class Study(StructureList):
    """A folder with ``study.json``. Changes are in memory until ``save``; a change that fails changes nothing.

    Attributes:
        folder: absolute.
        structures: what is segmented, in the order of labelmap values: ``structures[i]`` is i + 1.
        cases: in the order they were added.
        next_id: the first structure id that was never used; ids are never given twice.
        answered: keys of findings about the whole study that the user has answered.
    """

    folder: Path
    structures: tuple[Structure, ...] = ()
    cases: tuple[Case, ...] = ()
    next_id: int = 1
    answered: tuple[str, ...] = ()

    @staticmethod
    def create(folder: str | Path) -> Study:
        """Make a study in ``folder``, which may hold other files, or raise ``study.exists`` where it is one already."""
        study = Study(absolute(folder))
        if (study.folder / FILE).exists():
            raise MMGLError("study.exists", path=study.folder)
        study.save()
        return study

    @staticmethod
    def open(path: str | Path) -> Study:
        """Open the study in the folder ``path``, or whose ``study.json`` is ``path``.

        Raises:
            MMGLError: ``study.missing``, ``study.invalid``, ``file.damaged`` (not JSON) or ``file.newer``.
        """
        folder = absolute(path)
        folder = folder.parent if folder.name == FILE and not folder.is_dir() else folder
        if not (folder / FILE).is_file():
            raise MMGLError("study.missing", path=folder)
        structures, next_id, cases, answered = read_document(folder / FILE)
        return Study(folder, structures, cases, next_id, answered)

    def save(self) -> None:
        """Write ``study.json``; the old one stays whole until the new one is."""
        contents = (self.structures, self.next_id, self.cases, self.answered)
        write_json(self.folder / FILE, to_document(contents, self.folder))

    # Cases

    @property
    def labelled(self) -> tuple[Case, ...]:
        """The cases to train on that have a label."""
        return tuple(case for case in self.cases if case.use is Use.TRAIN and case.label)

    @property
    def unlabelled(self) -> tuple[Case, ...]:
        """The cases to train on that have none."""
        return tuple(case for case in self.cases if case.use is Use.TRAIN and not case.label)

    @property
    def checks(self) -> tuple[Case, ...]:
        """The labelled cases that are held out while training."""
        return tuple(case for case in self.cases if case.use is Use.CHECK and case.label)

    def case(self, name: str) -> Case:
        """Return the case called ``name``, or raise ``study.unknown_case``."""
        for case in self.cases:
            if case.name == name:
                return case
        raise MMGLError("study.unknown_case", case=name, cases=", ".join(case.name for case in self.cases) or "none")

    def add_case(
        self,
        images: ImageLike | Sequence[ImageLike],
        *,
        label: str | Path | None = None,
        name: str | None = None,
        patient: str | None = None,
        use: Use = Use.TRAIN,
        meanings: Mapping[str, str] | None = None,
    ) -> Case:
        """Add a scan, with its label or without. Of the images only the headers are read.

        Args:
            images: a file, a DICOM folder or an ``Image``; several are the channels of one scan, in order.
            label: the file of what is painted on it.
            name: of the case; the name of the first image without its suffix unless given.
            patient: who it is of, as a pseudonym; one made from the DICOM patient, else the name, unless given.
            use: what the case is for.
            meanings: from a segment of the label (its name, or its value as text) to the name of a structure, a new
                one included, or to an empty string where it is not for training. Needed only for segments that the
                study cannot know by their terminology code or name.

        Raises:
            MMGLError: ``study.duplicate_case``, ``study.case_name``, ``scan.*`` (an image cannot be used),
                ``label.unreadable``, ``label.outside``, ``label.unnamed_values`` or ``label.unknown_structure`` (to be
                asked).
        """
        channels = as_images(images)
        name = clean_name(stem(channels[0].path)) if name is None else name
        if not is_case_name(name):
            raise MMGLError("study.case_name", name=name)
        if any(case.name == name for case in self.cases):
            raise MMGLError("study.duplicate_case", case=name)
        header = read_common_header(channels, name)
        patient = patient or (pseudonym(header.patient) if header.patient else name)
        case = Case(name, patient, channels, None, use)
        if label is not None:
            case = self._with_label(case, absolute(label), meanings or {}, header.grid)
        self.cases += (case,)
        return case

    def remove_case(self, name: str) -> None:
        """Take the case of this name out of the study; its files stay where they are."""
        gone = self.case(name)
        self.cases = tuple(case for case in self.cases if case is not gone)

    def set_use(self, name: str, use: Use) -> Case:
        """Give the case of this name another use, and return it."""
        return self._put(replace(self.case(name), use=use))

    def set_label(self, name: str, label: str | Path | None, meanings: Mapping[str, str] | None = None) -> Case:
        """Give the case of this name a new or corrected label, or None to take its label away.

        What was said of the same file before still holds where ``meanings`` says nothing else.

        Raises:
            MMGLError: as ``add_case``.
        """
        case = self.case(name)
        if label is None:
            return self._put(replace(case, label=None))
        said = dict(meanings or {})
        if case.label and case.label.path == absolute(label):
            names = {structure.id: structure.name for structure in self.structures}
            names |= {number: words for words, number in SAID.items()}
            earlier = {key: names.get(number, "") for key, number in case.label.meanings.items()}
            said = {key: name for key, name in earlier.items() if key.split(" (value ")[0] not in said} | said
        grid = read_common_header(case.images, name).grid
        return self._put(self._with_label(case, absolute(label), said, grid))

    def split_checks(self, fraction: float = 0.2, seed: int = 0) -> list[str]:
        """Hold out the cases of about ``fraction`` of the labelled patients, at least one, and train on all others.

        Nobody of fewer than four labelled patients; of six or more so many that there are three check cases. Cases that
        are left out stay so. All cases of a patient go together, also unlabelled ones. The same seed gives the same.

        Returns:
            The names of the check cases.
        """
        active = [case for case in self.cases if case.use is not Use.LEAVE_OUT]
        chosen = choose_patients([case.patient for case in active if case.label], fraction, seed)
        split = {case.name: Use.CHECK if case.patient in chosen else Use.TRAIN for case in active}
        self.cases = tuple(replace(case, use=split.get(case.name, case.use)) for case in self.cases)
        return [case.name for case in self.checks]

    def _put(self, changed: Case) -> Case:
        """Put a changed case in the place of the one of its name."""
        self.cases = tuple(changed if case.name == changed.name else case for case in self.cases)
        return changed

    def _with_label(self, case: Case, path: Path, said: Mapping[str, str], grid: Grid) -> Case:
        """Return the case with the label at ``path``, its new structures added to the study."""
        label, structures = understood_label(self, case, path, said, grid)
        self.set_structures(structures)
        return replace(case, label=label)

    def set_extent(self, case: str, structure: str, extent: Extent | str) -> Case:
        """Say how far a structure is labelled in a case, or raise ``study.unknown_...`` or ``study.unlabelled_case``.

        Raises:
            ValueError: there is no such extent.
        """
        changed, number = self.case(case), self.structure(structure).id
        if changed.label is None:
            raise MMGLError("study.unlabelled_case", case=case)
        extents = {**changed.label.extents, number: Extent(extent)}
        return self._put(replace(changed, label=replace(changed.label, extents=extents)))

    def set_patient(self, case: str, patient: str) -> Case:
        """Say who a case is of, as a pseudonym; cases of one patient stay on one side of every split.

        Raises:
            ValueError: the patient is blank.
        """
        if not patient.strip():
            raise ValueError("a patient must have a name")
        return self._put(replace(self.case(case), patient=patient.strip()))

    def check(self, on_progress: Callable[[int, int], None] | None = None) -> list[Finding]:
        """Return what is wrong, doubtful or to be asked, the gravest first; ``on_progress`` hears how many are done."""
        return check(self, on_progress)

    def answer(self, finding: Finding, choice: str) -> None:
        """Answer a finding that is a question with one choice of it, or raise ``check.no_choice``."""
        answer(self, finding, choice)

    # Voxels

    def read_scan(self, case: Case) -> Scan:
        """Read the scan of a case, its images as channels.

        Raises:
            MMGLError: ``file.missing`` or ``scan.*``.
        """
        return read_scan(case)

    def read_label(self, case: Case) -> LabelVoxels:
        """Read what is labelled on a case, and what is not, on the grid of its scan.

        Segments that are not for training are as if they were not painted. Where segments overlap, the upper one in
        the file wins. How far a structure is labelled is what was said (``set_extent``); where nothing was said, a
        structure that is not painted is not labelled, and one that is painted on some slices is labelled on these.

        Raises:
            MMGLError: ``study.unlabelled_case``, ``label.empty`` (no structure of the study is painted, and they are
                not all absent), ``label.outside`` (not on the image), ``label.unreadable``, or, where the file has
                changed and has segments it had not, ``label.unnamed_values`` or ``label.unknown_structure``.
        """
        return read_label(case, self.structures)

    def read_labelmap(self, case: Case) -> Array:
        """Read the labelmap of a case: (z, y, x) int32, i + 1 for ``structures[i]``, negative if not known."""
        return read_label(case, self.structures).labelmap
