"""The section *Models*: how good each one is, which one is used, and how they come and go."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MMGLLib import chosen_model, study_models
from MMGLLib.anonymous import names_of
from MMGLLib.messages import MMGLError
from MMGLTrainLib.notice import Notice
from MMGLTrainLib.score_table import ScoreTable, advice, headline
from MMGLTrainLib.told import as_ours

ROW = 20
"""Pixels of a line of the list."""

FILTER = "MMGL (*.mmgl)"


class ModelsSection:
    """One of the four parts of the panel.

    Args:
        form: what ``ModelsSection.ui`` describes.
        logic: of MMGLTrain.

    Attributes:
        onChanged: called when a model came, or another one is used.
        onOpen: called with the folder of a new study.
    """

    onChanged = None
    onOpen = None

    def __init__(self, form, logic):
        self.form, self.logic = form, logic
        self.ui = slicer.util.childWidgetVariables(form)
        self.study, self.models, self._stamp = None, [], None
        self.notice = Notice(self.ui, lambda: names_of(self.study))
        self.scores = ScoreTable(self.ui.scoreTable)
        self.ui.modelTree.setHeaderLabels([_("Model"), _("Use"), _("Made"), _("Learned from")])
        self.ui.modelTree.connect("currentItemChanged(QTreeWidgetItem*,QTreeWidgetItem*)", self.onModel)
        self.ui.useButton.connect("clicked()", self.onUse)
        self.ui.reportButton.connect("clicked()", self.onReport)
        self.ui.exportButton.connect("clicked()", self.onExport)
        self.ui.importButton.connect("clicked()", self.onImport)
        self.ui.studyButton.connect("clicked()", self.onStudy)
        self.follow(None)

    def follow(self, study):
        """Show the models of a study, the newest first and chosen where it is new; nothing when None."""
        if self.study is None or study is None or study.folder != self.study.folder:
            self._stamp = None
            self.notice.say("")
        self.study = study
        self.form.enabled = study is not None
        files = [str(file) for file in study_models.model_files(study.folder)] if study is not None else []
        stamp = (files, chosen_model.chosen()) if study is not None else None
        if stamp != self._stamp or study is None:
            new = self._stamp is None or stamp is None or files != self._stamp[0]
            self._stamp = stamp
            self.models = self.logic.models(study) if study is not None else []
            self._list(keep=not new)

    def next_step(self):
        """Return what to do next here, in words; empty when nothing is left."""
        best = self.best
        if best is None or chosen_model.chosen() == str(best.file):
            return ""
        if best.findings and not best.usable:
            return _("Look at {name}: it says what to do to make it better.").format(name=best.name)
        return _("Look at {name}, and use it if it is good.").format(name=best.name)

    def close(self):
        """Let go of everything."""
        self.study, self.models = None, []

    @property
    def current(self):
        """The model that is shown, or None."""
        row = self.ui.modelTree.indexOfTopLevelItem(self.ui.modelTree.currentItem()) if self.models else -1
        return self.models[row] if row >= 0 else None

    @property
    def best(self):
        """The model to use: the newest one, or the one its verdict names."""
        newest = next(iter(self.models), None)
        return next((m for m in self.models if newest.use == m.name), newest)

    def onModel(self):
        """Show the model that is chosen in the list."""
        model, ui = self.current, self.ui
        ui.modelFrame.visible = ui.studyButton.visible = model is not None
        if model is None:
            return
        ui.verdictLabel.text, lines = headline(model), advice(model)
        ui.adviceLabel.text = "\n".join(lines)
        ui.adviceLabel.visible = bool(lines)
        self.scores.show(model.rows())
        compared = model.said("compare.")
        ui.compareLabel.text = "\n".join(compared)
        ui.compareLabel.visible = bool(compared)
        used = chosen_model.chosen() == str(model.file)
        ui.useButton.enabled = not used
        ui.useButton.text = _("MMGL Segment uses this one") if used else _("Use this one")
        ui.reportButton.enabled = model.report is not None
        ui.reportButton.toolTip = _("Opens its report.") if model.report else _("This model has no report.")

    def onUse(self):
        """Let MMGL Segment take the chosen model."""
        name = self.current.name
        chosen_model.choose(self.current.file)
        self.follow(self.study)
        self._changed()
        self.notice.say(_("MMGL Segment now takes {name}.").format(name=name))

    def onReport(self):
        """Open the report of the chosen model."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.current.report)))

    def onExport(self):
        """Save the chosen model as a file of its own."""
        start = str(Path.home() / f"{self.study.folder.name} {self.current.name}.mmgl")
        file = qt.QFileDialog.getSaveFileName(self.form, _("Save the model as"), start, FILTER)
        if file:
            self.export_model(Path(file).with_suffix(".mmgl"))

    def export_model(self, file):
        """Save the chosen model, and say what is in it."""
        if not self._tried(lambda: study_models.export_model(self.current.file, file)):
            return
        said = _("{file} holds the names of the structures and what the model learned; no images and no patient data.")
        self.notice.say(said.format(file=file.name))

    def onImport(self):
        """Choose a model file to add."""
        file = qt.QFileDialog.getOpenFileName(self.form, _("Choose a model"), "", FILTER)
        if file:
            self.import_model(file)

    def import_model(self, file):
        """Add a model file to the study, and say where its structures are others."""
        found = []
        if not self._tried(lambda: found.append(study_models.import_model(self.study, file))):
            return
        self.follow(self.study)
        self._changed()
        other = study_models.others_structures(found[0], self.study)
        self.notice.say(str(other) if other else _("{name} was added.").format(name=found[0].name))

    def onStudy(self):
        """Choose a folder for a new study."""
        folder = qt.QFileDialog.getExistingDirectory(self.form, _("Choose an empty folder for the new study"))
        if folder:
            self.new_study(folder)

    def new_study(self, folder):
        """Make a study from the chosen model, and open it."""
        model = self.current
        if self._tried(lambda: study_models.study_from(model, folder)) and self.onOpen is not None:
            self.onOpen(folder)

    def _tried(self, how):
        """Do something; what goes wrong is shown, and then the answer is False."""
        self.notice.say("")
        try:
            how()
        except (MMGLError, OSError) as error:
            self.notice.fail(str(as_ours(error)), "")
            return False
        return True

    def _list(self, keep):
        """List the models; the same one stays chosen, or the best one is."""
        tree, shown = self.ui.modelTree, self.current.name if keep and self.current else ""
        used = chosen_model.chosen() if self.models else ""
        tree.blockSignals(True)
        tree.clear()
        for model in self.models:
            best = model is self.best and model.usable
            mark = _("in use") if str(model.file) == used else _("recommended") if best else ""
            counts = [model.card.cases.get(kind, 0) for kind in ("labelled", "unlabelled")]
            learned = _("{labelled} labelled, {unlabelled} not").format(labelled=counts[0], unlabelled=counts[1])
            tree.addTopLevelItem(qt.QTreeWidgetItem([model.name, mark, model.card.created[:10], learned]))
        for column in range(4):
            tree.resizeColumnToContents(column)
        names = [model.name for model in self.models]
        chosen = shown if shown in names else self.best.name if self.best else ""
        if chosen:
            tree.setCurrentItem(tree.topLevelItem(names.index(chosen)))
        tree.blockSignals(False)
        tree.visible = bool(self.models)
        tree.setFixedHeight(tree.header().height + ROW * max(1, min(len(self.models), 5)) + 6)
        self.ui.emptyLabel.visible = not self.models
        self.ui.emptyLabel.text = _("There is no model yet. Train one, or import one that you were given.")
        self.onModel()

    def _changed(self):
        if self.onChanged is not None:
            self.onChanged()
