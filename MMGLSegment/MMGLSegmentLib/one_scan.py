"""The button *Segment*: the scan that is chosen, or all frames of its sequence, and once more in another way."""

from slicer.i18n import tr as _

from MMGLLib import sequences
from MMGLLib.messages import MMGLError
from MMGLSegmentLib.actions import way_on


class OneScan:
    """What the panel does to segment one scan.

    Args:
        panel: the panel.

    Attributes:
        asked: in which other way than the settings say, since the button was clicked.
    """

    def __init__(self, panel):
        self.panel, self.asked = panel, {}
        panel.ui.segmentButton.connect("clicked()", self.onClick)

    def onClick(self):
        """Segment, or cancel what is going on."""
        if self.panel.run is not None:
            self.panel.run.cancel()
            self.panel.ui.segmentButton.enabled = False
            self.panel.ui.statusLabel.text = _("Cancelling")
            return
        self.asked = {}
        self.again()

    def again(self, **asked):
        """Segment once more, in another way than the settings say; what was asked for before still holds."""
        self.asked.update(asked)
        self.panel.start(self._begin, self.onEvent)

    def onEvent(self, event):
        """Show the result, or say why there is none."""
        panel = self.panel
        if event["event"] == "failed":
            panel.message.fail(event["error"], event["details"], way_on(panel, event["error"]))
        elif event["event"] == "cancelled":
            panel.message.say(str(event["error"]))
        else:
            panel.parameters.result = event["node"]
            scan = panel.scan_of_result(event["node"])
            panel.result.show(event["node"], scan)
            panel.result.told(event)
            if event["empty"]:
                names, tried = ", ".join(event["empty"]), event.get("lower", True)  # frames have no such choice
                key = "slicer.still_nothing" if tried else "slicer.nothing_found"
                error = MMGLError(key, structures=names, scan=scan.GetName())
                panel.message.fail(error, action=way_on(panel, error, event["empty"]))

    def _begin(self):
        """Return the run of the scan that is chosen, or of all frames of its sequence."""
        panel, ui = self.panel, self.panel.ui
        scan, model, asked = ui.scanSelector.currentNode(), panel.models.current(), panel.advanced.asked()
        if ui.framesCheckBox.checked and sequences.frames_of(scan) is not None:  # folded away it is hidden, too
            for alone in ("doubt", "finer"):
                asked.pop(alone, None)
            return panel.logic.segmentSequence(scan, model, wait=False, onEvent=panel.onEvent, **asked)
        region = ui.regionSelector.currentNode()
        asked.update(region=region, surfaces=True, **self.asked)
        return panel.logic.segment(scan, model, wait=False, onEvent=panel.onEvent, **asked)
