"""The section *Result*: what was found, in the Segment Editor, in 3-D, and where to look twice."""

import slicer
from slicer.i18n import tr as _

from MMGLLib.doubt import Overlay
from MMGLLib.editor import Editor


class Result:
    """The widgets of the section; it is there once there is a result.

    Args:
        panel: the panel they are on.
    """

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.overlay = Overlay(None, None)
        self.editor, self.node = Editor(self.ui.segmentEditor, "MMGLSegment"), None
        self.ui.overlayCheckBox.connect("toggled(bool)", self.onOverlay)
        self.ui.nextDoubtButton.connect("clicked()", self.onNext)
        self.ui.removeDoubtButton.connect("clicked()", self.onRemove)

    def show(self, node, scan=None):
        """Show a result, or none; ``scan`` where it is new."""
        self.ui.resultSection.visible = node is not None
        self.ui.show3DButton.setSegmentationNode(node)
        if node is not self.node or scan is not None or node is None:
            self.overlay.hide()
            self.overlay = Overlay(node, self.panel.scan_of_result(node))
            self.node = node
            self.ui.checkLabel.text = ""
        self._show_doubt()
        if node is None:
            self.editor.let_go()
            return
        self.editor.show(node, scan)
        if scan is not None:
            slicer.util.setSliceViewerLayers(background=scan)

    def told(self, event):
        """Say what to look at twice."""
        check, told = event.get("check") or [], event.get("told") or []
        lines = [_("Check: {structures}.").format(structures=", ".join(check))] if check else []
        self.ui.checkLabel.text = "\n".join([*lines, *told])
        self._show_doubt()

    def leave(self):
        """Let go of the slice views and the editor."""
        self.overlay.hide()
        self.editor.let_go()

    def onOverlay(self, shown):
        """Show or hide the doubtful areas."""
        if shown:
            self.overlay.show()
        else:
            self.overlay.hide()

    def onNext(self):
        """Go to the next doubtful slice."""
        number, structure = self.overlay.jump()
        if number:
            count = len(self.overlay.slices)
            self.ui.nextDoubtButton.toolTip = _("The worst first.")
            self.ui.statusLabel.text = _("Doubtful slice {number} of {count}: {structure}.").format(
                number=number, count=count, structure=structure
            )

    def onRemove(self):
        """Take the volume of doubt out of the scene."""
        self.overlay.remove()
        self._show_doubt()

    def _show_doubt(self):
        there = self.overlay.node is not None and self.overlay.node.GetScene() is not None
        self.ui.overlayCheckBox.visible = there
        self.ui.removeDoubtButton.visible = there
        self.ui.nextDoubtButton.visible = bool(self.overlay.slices)
        self.ui.checkLabel.visible = bool(self.ui.checkLabel.text)
        self.ui.overlayCheckBox.blockSignals(True)
        self.ui.overlayCheckBox.checked = self.overlay.shown
        self.ui.overlayCheckBox.blockSignals(False)
