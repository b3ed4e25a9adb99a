"""*Segment a folder*: a job that goes on without Slicer, followed here while the panel is there."""

from pathlib import Path

import qt
from slicer.i18n import tr as _

from MMGLLib.folders import SegmentingFolder
from MMGLSegmentLib.advanced import open_folder

LISTED = 5
"""Scans that were skipped and are named in the panel; the others are in the table."""


class Folder:
    """What the panel does to segment a folder.

    Args:
        panel: the panel.
    """

    def __init__(self, panel):
        self.panel = panel
        panel.ui.folderButton.connect("clicked()", self.onFolder)

    def onFolder(self):
        """Ask for the folder, and begin."""
        chosen = qt.QFileDialog.getExistingDirectory(self.panel.form, _("Choose the folder of scans"))
        if not chosen:
            return
        scans, panel = Path(chosen), self.panel
        results = scans.with_name(_("{folder} segmented").format(folder=scans.name))

        def begin():
            return panel.logic.segmentFolder(
                str(scans),
                str(results),
                panel.models.current(),
                wait=False,
                onEvent=panel.onEvent,
                **panel.advanced.asked(),
            )

        panel.start(begin, self.onEvent)

    def find_again(self):
        """Follow a folder that was being segmented when Slicer was closed, or tell how it ended."""
        if self.panel.run is None:
            run = SegmentingFolder.unfinished(self.panel.onEvent)
            if run is not None:
                self.panel.start(lambda: run, self.onEvent)

    def onEvent(self, event):
        """Tell how it ended."""
        message = self.panel.message
        if event["event"] == "failed":
            again = (_("Choose the folder again"), self.onFolder) if event["error"].key == "slicer.died" else None
            message.fail(event["error"], event["details"], again)
        elif event["event"] == "cancelled":
            message.say(str(event["error"]))
        elif event["event"] == "done":
            skipped = event["skipped"]
            words = _("{done} segmented, {skipped} left out.")
            said = words.format(done=event["done"] - len(skipped), skipped=len(skipped))
            message.say(
                "\n".join([said, *(why for _scan, why in skipped[:LISTED])]),
                (_("Open the results"), lambda: open_folder(event["output"])),
            )
