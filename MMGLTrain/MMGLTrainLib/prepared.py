"""The room on the disk that prepared scans take, and how to have it back."""

from slicer.i18n import tr as _

from mmgl.study.prepared import prepared_size, remove_prepared
from MMGLLib import training
from MMGLLib.messages import MMGLError


class Prepared:
    """Shows how large the prepared scans of the study are, and deletes them.

    Args:
        ui: the widgets of the panel.
        desk: has the study.
        message: tells what stands in the way.
    """

    def __init__(self, ui, desk, message):
        self._ui, self._desk, self._message = ui, desk, message
        ui.advancedSection.connect("contentsCollapsed(bool)", self.show)
        ui.removePreparedButton.connect("clicked()", self.onRemove)

    def show(self, *_arguments):
        """Show how much room they take; looked up only where it can be seen."""
        study = self._desk.study
        if study is None or self._ui.advancedSection.collapsed:
            return
        size = prepared_size(study.folder)
        self._ui.preparedSizeLabel.text = _("{size:.1f} MB").format(size=size / 1e6)
        self._ui.removePreparedButton.enabled = bool(size)

    def onRemove(self):
        """Delete them, where no training needs them."""
        try:
            self._desk.opened.require_writable()
            busy = training.working(self._desk.study.folder)
            if busy is not None:
                raise MMGLError("train.running", name=busy.name)
            remove_prepared(self._desk.study.folder)
        except MMGLError as error:
            self._message.fail(error)
        self.show()
