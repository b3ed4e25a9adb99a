"""Watching a training: a picture of its result, the curve, and the memory; costs nothing while it is folded away."""

import qt
import slicer
from slicer.i18n import tr as _

from MMGLTrainLib.curves import Curves

WIDTH, HEIGHT = 380, 250
"""Largest size of the picture in pixels."""

PLOT = 190
"""Smallest height of the curve."""


class LiveView:
    """The part of the panel that shows what a training has learned.

    Args:
        ui: the widgets of the section.
    """

    def __init__(self, ui):
        self.ui, self.training = ui, None
        ui.plotView = slicer.qMRMLPlotView()  # made here, as no plug-in of Slicer makes one of a form
        ui.plotView.setMinimumSize(0, PLOT)
        ui.plotLayout.addWidget(ui.plotView)
        self._curves = Curves(ui.plotView)
        self._labelled, self._structures, self._picture = set(), (), None
        ui.timeSlider.connect("valueChanged(int)", self.onTime)
        ui.liveSection.connect("contentsCollapsed(bool)", self.onCollapsed)

    def follow(self, training, study):
        """Watch a training of a study, or none."""
        if training is not self.training:
            self._picture = None
            self.ui.timeSlider.maximum = 0
            self._curves.close()
        self.training = training
        if study is not None:
            self._labelled = {case.name for case in study.cases if case.label}
            self._structures = study.structures
        self.show()

    def show(self):
        """Draw what is new, where somebody can see it."""
        story = self.training.story if self.training is not None else None
        self.ui.liveSection.visible = story is not None and bool(story.previews or story.checks or story.errors)
        if story is None or self.ui.liveSection.collapsed:
            return
        slider, last = self.ui.timeSlider, max(0, len(story.previews) - 1)
        newest = slider.value == slider.maximum  # who looks at an earlier one goes on doing so
        slider.maximum = last
        if newest:
            slider.value = last
        slider.visible = last > 0
        self._show_picture()
        self._show_memory(story.memory)
        self.ui.curveLabel.visible = self.ui.plotView.visible = bool(story.checks) or len(story.errors) > 1
        self.ui.curveLabel.text = (
            _("Agreement with your labels on the scans held out (1 is perfect)")
            if story.checks
            else _("What is still to learn, in percent")
        )
        self._curves.show(story, self._structures)

    def close(self):
        """Let go of everything."""
        self._curves.close()
        self.training = None

    def onTime(self):
        """Show the picture the slider points at."""
        self._show_picture()

    def onCollapsed(self):
        """Catch up with what came while nobody looked."""
        self.show()

    def _show_picture(self):
        previews = self.training.story.previews if self.training is not None else []
        self.ui.pictureLabel.visible = self.ui.captionLabel.visible = bool(previews)
        if not previews:
            return
        shown = previews[min(self.ui.timeSlider.value, len(previews) - 1)]
        if shown == self._picture:
            return
        picture = qt.QPixmap(str(self.training.folder / shown.file))
        if picture.isNull():  # its folder went away
            return
        self._picture = shown
        self.ui.pictureLabel.setPixmap(picture.scaled(WIDTH, HEIGHT, qt.Qt.KeepAspectRatio, qt.Qt.SmoothTransformation))
        minutes = max(1, round(shown.minutes))
        sides = _("found, and your label") if shown.case in self._labelled else _("found")
        words = _("{case}: {sides}, after {minutes} min")
        self.ui.captionLabel.text = words.format(case=shown.case, sides=sides, minutes=minutes)

    def _show_memory(self, memory):
        bars = (
            (self.ui.memoryBar, "free_gb", "gb", _("Memory: {used:.1f} of {whole:.0f} GB in use")),
            (self.ui.cardBar, "card_free_gb", "card_gb", _("Graphics card: {used:.1f} of {whole:.0f} GB in use")),
        )
        for bar, free, whole, words in bars:
            bar.visible = bool(memory.get(whole)) and self.training.works
            if memory.get(whole):
                used = memory[whole] - memory[free]
                bar.value = round(1000 * used / memory[whole])
                bar.format = words.format(used=used, whole=memory[whole])
