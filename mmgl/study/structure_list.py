"""The list of structures a study owns: adding, changing and removing them, ids never used again."""

from __future__ import annotations

from mmgl.messages import MMGLError
from mmgl.structures import Colour, Structure
from mmgl.study.cases import Case
from mmgl.study.meanings import new_structure


class StructureList:
    """What ``Study`` can do with its structures; the attributes are those of ``Study``."""

    structures: tuple[Structure, ...]
    cases: tuple[Case, ...]
    next_id: int

    def structure(self, name: str) -> Structure:
        """Return the structure called ``name``, or raise ``study.unknown_structure``."""
        for structure in self.structures:
            if structure.name == name:
                return structure
        raise self._unknown_structure(name)

    def add_structure(self, name: str, colour: Colour | None = None, terminology: str = "") -> Structure:
        """Add a structure at the end of the list.

        Raises:
            MMGLError: ``study.duplicate_structure``.
            ValueError: the name is blank.
        """
        structure = new_structure(self.structures, self.next_id, name, colour, terminology)
        self.set_structures((*self.structures, structure))
        return structure

    def change_structure(self, changed: Structure) -> None:
        """Put a structure with another name, colour or terminology in the place of the one with its id.

        Raises:
            MMGLError: ``study.duplicate_structure`` or ``study.unknown_structure``.
        """
        if changed.id not in {structure.id for structure in self.structures}:
            raise self._unknown_structure(changed.name)
        self.set_structures(tuple(changed if changed.id == s.id else s for s in self.structures))

    def remove_structure(self, name: str) -> None:
        """Take a structure off the list, or raise ``study.unknown_structure``; what is painted of it is not trained."""
        gone = self.structure(name)
        kept = tuple(structure for structure in self.structures if structure is not gone)
        self.set_structures(kept)
        self.cases = tuple(case.without_structures({s.id for s in kept}) for case in self.cases)

    def set_structures(self, structures: tuple[Structure, ...]) -> None:
        """Put a new list in the place of the old one, or raise ``study.duplicate_structure``."""
        for i, structure in enumerate(structures):
            if not structure.name.strip():
                raise ValueError("a structure must have a name")
            if any(structure.name == other.name for other in structures[:i]):
                raise MMGLError("study.duplicate_structure", name=structure.name)
        self.structures = structures
        self.next_id = max([self.next_id, *(structure.id + 1 for structure in structures)])

    def _unknown_structure(self, name: str) -> MMGLError:
        names = ", ".join(structure.name for structure in self.structures) or "none"
        return MMGLError("study.unknown_structure", name=name, structures=names)
