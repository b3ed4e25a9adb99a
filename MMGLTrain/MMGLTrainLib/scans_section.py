"""The section Scans: which cases the study has, what they are for, and what speaks against them."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from mmgl.study import Use, ask_again, has_answers
from MMGLLib import sources
from MMGLLib.messages import MMGLError
from MMGLLib.open_study import move_files
from MMGLTrainLib.case_rows import row, uses
from MMGLTrainLib.case_table import CaseTable
from MMGLTrainLib.findings import Findings


class ScansSection:
    """One of the four parts of the panel.

    Args:
        form: what ``ScansSection.ui`` describes.
        logic: the logic of the module, with its desk.

    Attributes:
        onLabel: set by the panel; called with the name of a case that is to be labelled.
    """

    onChanged = None

    def __init__(self, form, logic):
        self.form, self.logic, self.desk = form, logic, logic.desk
        self.ui = slicer.util.childWidgetVariables(form)
        self.onLabel = lambda case: None
        self.table = CaseTable(self.ui.caseTable)
        self.findings = Findings(form, self.ui, self.desk, lambda case: self.onLabel(case))
        self.findings.onFind = self.onFindFiles
        self._sources, self._series, self._adding, self._joining = [], None, [], None
        for use, words in uses().items():
            self.ui.useSelector.addItem(words, use)
        self.ui.useSelector.connect("activated(int)", self.onUse)
        self.ui.addFolderButton.connect("clicked()", self.onAddFolder)
        self.ui.addSlicerButton.connect("toggled(bool)", self.onAddSlicer)
        self.ui.addTickedButton.connect("clicked()", self.onAddTicked)
        self.ui.filterEdit.connect("textChanged(QString)", self.table.filter)
        self.ui.caseTable.connect("itemSelectionChanged()", self.onSelection)
        self.ui.caseTable.connect("itemDoubleClicked(QTreeWidgetItem*,int)", self.onDoubleClick)
        self.ui.labelButton.connect("clicked()", self.onDoubleClick)
        self.ui.removeButton.connect("clicked()", self.onRemove)
        self.ui.askAgainButton.connect("clicked()", self.onAskAgain)
        self.ui.holdOutButton.connect("clicked()", self.onHoldOut)
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self.onTimeout)
        self._drops = DropFolders(form, self.add_folders)
        self.onAddSlicer(False)

    def follow(self, study):
        """Show the cases of a study, or nothing."""
        findings = self.desk.open_findings() if study else []
        by_case = {}
        for finding in findings:
            by_case.setdefault(finding["case"], finding)
        rows = {}
        for case in study.cases if study else ():
            missing = case.name in self.desk.missing
            facts, begun = self.desk.facts.get(case.name, {}), case.name in self.desk.begun
            rows[case.name] = row(case, facts, by_case.get(case.name), missing, begun)
        self.table.show(rows)
        self.findings.show(findings)
        for widget in (self.ui.filterEdit, self.ui.caseTable, self.ui.useSelector, self.ui.labelButton):
            widget.visible = bool(rows)
        waits = bool(self.desk.asked)  # a folder, for answers
        adding = self.desk.errands.busy in ("add", "series", "sample") or waits
        for widget in (self.ui.addFolderButton, self.ui.addSlicerButton, self.ui.addTickedButton):
            widget.enabled = self.desk.writable and not adding
        self.ui.removeButton.visible = bool(rows)
        labelled = study is not None and any(case.label for case in study.cases)
        self.ui.holdOutButton.visible = labelled and not study.checks
        self.ui.holdOutButton.enabled = self.desk.writable
        self.onSelection()

    def next_step(self):
        """Return what to do next here."""
        study = self.desk.study
        if study is None:
            return ""
        if not study.cases and not self.desk.asked:
            return _("Add the folder with your scans, or scans that are open in Slicer.")
        for finding in self.desk.open_findings():
            if finding["choices"] and finding["case"] == "":
                return _("Answer the question below.")
            if finding["severity"] == "error" and finding["key"] != "study.no_labels":
                return _("Put right what is marked below, or leave it out.")
        return ""

    def close(self):
        """Leave no timer and no run."""
        self._timer.stop()
        if self._joining is not None:
            self._joining.abandon()
            self._joining = None
        self.table.close()
        self._drops.close()

    def add_folders(self, folders):
        """Add the scans of folders."""
        if self.desk.writable:
            for folder in folders:
                self.desk.add_folder(folder)
            self.onChanged()

    def onAddFolder(self):
        """Choose a folder and add it."""
        folder = qt.QFileDialog.getExistingDirectory(self.form, _("Choose the folder with your scans"))
        if folder:
            self.add_folders([folder])

    def onAddSlicer(self, shown):
        """List what is open in Slicer, and bit by bit what its DICOM database has."""
        self.ui.sourceFrame.visible = shown
        self.ui.sourceList.clear()
        self._sources, self._series = [], None
        if shown:
            for source in sources.volumes():
                self._offer(source)
            self._series = sources.series()
            self._timer.start()

    def onAddTicked(self):
        """Add the ticked scans, one after the other."""
        rows = [self.ui.sourceList.item(i) for i in range(self.ui.sourceList.count)]
        ticked = [row.checkState() == qt.Qt.Checked for row in rows]
        self._adding = [source for source, on in zip(self._sources, ticked, strict=True) if on]
        self.ui.addSlicerButton.checked = False
        self.desk.adding.failed = []
        self._timer.start()

    def onTimeout(self):
        """Offer or add one scan more, so that Slicer is never held up for long."""
        if self._adding or self._joining is not None:
            self._add()
            return
        source = next(self._series, None) if self._series is not None else None
        if source is None:
            self._timer.stop()
        else:
            self._offer(source)

    def _add(self):
        """Go on with the scan that is being added, or begin with the next one."""
        try:
            if self._joining is None:
                self._joining = self.desk.add_source(self._adding.pop(0))
            elif self._joining.poll():
                ended, self._joining = self._joining, None
                if ended.error is not None:
                    raise ended.error
        except MMGLError as error:
            self.desk.adding.fail(error)
        if not self._adding and self._joining is None:
            self.desk.survey()
            self.onChanged()

    def onSelection(self):
        """Show what the chosen cases are for."""
        chosen, study = self.table.chosen(), self.desk.study
        known = {case.name: case.use for case in study.cases} if study else {}
        found = {known[name] for name in chosen if name in known}
        for widget in (self.ui.useSelector, self.ui.removeButton):
            widget.enabled = bool(found) and self.desk.writable
        self.ui.labelButton.enabled = len(chosen) == 1
        said = [case for case in study.cases if case.name in chosen and has_answers(study, case)] if study else []
        self.ui.askAgainButton.visible = bool(said) and self.desk.writable
        self.ui.useSelector.setCurrentIndex(self.ui.useSelector.findData(found.pop().value) if len(found) == 1 else -1)

    def onUse(self):
        """Say what the chosen cases are for."""
        chosen, use = self.table.chosen(), Use(self.ui.useSelector.currentData)
        self.desk.change(lambda study: [study.set_use(name, use) for name in chosen])

    def onRemove(self):
        """Take the chosen cases out of the study; their files stay, so this can be undone by adding them again."""
        chosen = self.table.chosen()
        self.desk.change(lambda study: [study.remove_case(name) for name in chosen])

    def onAskAgain(self):
        """Forget what was answered about the chosen cases, and ask again."""
        chosen = self.table.chosen()
        self.desk.change(lambda study: [ask_again(study, name) for name in chosen])

    def onHoldOut(self):
        """Choose the cases to check with."""
        self.desk.change(lambda study: study.split_checks())

    def onDoubleClick(self):
        """Open the chosen case to be labelled."""
        chosen = self.table.chosen()
        if len(chosen) == 1:
            self.onLabel(chosen[0])

    def onFindFiles(self):
        """Find the folder in which all missing files are now."""
        folder = qt.QFileDialog.getExistingDirectory(self.form, _("Choose the folder in which the scans are now"))
        if folder:
            old = next(iter(self.desk.missing.values())).parent
            self.desk.change(lambda study: move_files(study, old, Path(folder)))

    def _offer(self, source):
        self._sources.append(source)
        row = qt.QListWidgetItem(source.words)
        row.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
        row.setCheckState(qt.Qt.Unchecked)
        self.ui.sourceList.addItem(row)


class DropFolders(qt.QObject):
    """Lets folders be dropped on a widget.

    Args:
        widget: to drop on.
        onFolders: called with their paths.
    """

    def __init__(self, widget, onFolders):
        qt.QObject.__init__(self)
        self._widget, self._onFolders = widget, onFolders
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def close(self):
        """Let go of the widget."""
        self._widget.removeEventFilter(self)

    def eventFilter(self, watched, event):
        """Take folders, and leave everything else to the widget."""
        if event.type() not in (qt.QEvent.DragEnter, qt.QEvent.Drop):
            return False
        folders = [url.toLocalFile() for url in event.mimeData().urls() if Path(url.toLocalFile()).is_dir()]
        if not folders:
            return False
        event.acceptProposedAction()
        if event.type() == qt.QEvent.Drop:
            self._onFolders(folders)
        return True
