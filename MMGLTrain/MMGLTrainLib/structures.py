"""The study's list of structures: another name or colour for one of them, which every label then has."""

from dataclasses import replace

import qt
from slicer.i18n import tr as _

from mmgl.study import change_meaning, told_meanings
from MMGLTrainLib.told import of_meaning, taken_for

SWATCH = 12
"""Pixels of the square that shows a colour."""


class Structures:
    """The list. A structure is known by its number, which nobody sees, so labels on disk stay what they are.

    Args:
        ui: the widgets of the section.
        desk: with the study.
        onMeant: called with the names of the cases whose labels mean something else now.
    """

    def __init__(self, ui, desk, onMeant):
        self._ui, self._desk, self._onMeant = ui, desk, onMeant
        self._shown = self._told = self._again_about = None
        self._names = qt.QMenu(ui.askAgainButton)
        ui.askAgainButton.setMenu(self._names)
        ui.structureList.connect("itemChanged(QListWidgetItem*)", self.onRenamed)
        ui.colourButton.connect("clicked()", self.onColour)
        ui.structureList.connect("currentRowChanged(int)", self.onChosen)
        self.follow(None)

    def follow(self, study):
        """List the structures of a study, or of none."""
        structures, writable = (study.structures if study else ()), self._desk.writable
        told = told_meanings(study) if study else []
        self._show_names(told, structures)
        self._ui.askAgainButton.enabled = writable and bool(told)
        if study is None:
            self._again_about = None
        if (structures, writable) == self._shown:
            return
        self._shown = (structures, writable)
        listed, row = self._ui.structureList, self._ui.structureList.currentRow
        listed.blockSignals(True)
        listed.clear()
        for structure in structures:
            item = qt.QListWidgetItem(structure.name)
            square = qt.QPixmap(SWATCH, SWATCH)
            square.fill(qt.QColor(*structure.colour))
            item.setIcon(qt.QIcon(square))
            editable = qt.Qt.ItemIsEditable if writable else qt.Qt.NoItemFlags
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | editable)
            listed.addItem(item)
        listed.setCurrentRow(min(row, len(structures) - 1))
        listed.blockSignals(False)
        self._ui.structuresSection.visible = bool(structures)
        self.onChosen()

    def onChosen(self):
        """A colour can be given to the structure that is chosen."""
        self._ui.colourButton.enabled = self._ui.structureList.currentRow >= 0 and self._desk.writable

    @property
    def question(self):
        """What a name means that is asked about again, or None."""
        return of_meaning(self._again_about, self._desk.study.structures) if self._again_about else None

    def answer(self, value):
        """Change what a name means, in all labels."""
        meaning, self._again_about = self._again_about, None
        before = {case.name: case.label for case in self._desk.study.cases}
        if self._desk.change(lambda study: change_meaning(study, meaning, value)):
            self._onMeant([case.name for case in self._desk.study.cases if case.label != before.get(case.name)])

    def onAskAgain(self, meaning):
        """Ask about a name again that somebody said the meaning of."""
        self._again_about = meaning
        self._desk.onChanged()

    def onRenamed(self, item):
        """Give a structure the name that was typed; a blank one is none."""
        name, structure = item.text().strip(), self._of(self._ui.structureList.row(item))
        if name and name != structure.name:
            self._change(replace(structure, name=name))
        else:
            self._again()

    def onColour(self):
        """Choose another colour."""
        structure = self._of(self._ui.structureList.currentRow)
        chosen = qt.QColorDialog.getColor(qt.QColor(*structure.colour), self._ui.structureList)
        if chosen.isValid():
            self._change(replace(structure, colour=(chosen.red(), chosen.green(), chosen.blue())))

    def _show_names(self, told, structures):
        """List the names that can be asked about again, with what each is taken for."""
        if (told, structures) == self._told:
            return
        self._told = (told, structures)
        self._names.clear()
        for meaning in told:
            words = _("'{name}', taken for {meaning}…")
            words = words.format(name=meaning.name, meaning=taken_for(meaning, structures))
            self._names.addAction(words).connect("triggered()", lambda meaning=meaning: self.onAskAgain(meaning))

    def _of(self, row):
        return self._shown[0][row]

    def _change(self, changed):
        """Change a structure in the study, and where it is shown; one that cannot be changed stays as it was."""
        if not self._desk.change(lambda study: study.change_structure(changed)):
            self._again()

    def _again(self):
        self._shown = None
        self.follow(self._desk.study)
