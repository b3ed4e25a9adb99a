"""Slicer's Segment Editor in a panel: it hears the keyboard and the slice views only while that panel is looked at."""

from __future__ import annotations

from typing import Any

import slicer


class Editor:
    """The Segment Editor of a panel. A tool that stays chosen elsewhere would paint where nobody expects it.

    Args:
        widget: ``qMRMLSegmentEditorWidget``.
        module: its name, by which the scene keeps how the editor is set.
    """

    def __init__(self, widget: Any, module: str) -> None:
        self._widget, self._module = widget, module
        self._here = self._edits = False

    def show(self, segmentation: Any, volume: Any = None) -> None:
        """Edit a segmentation; ``volume``, the scan it lies on, where it is new."""
        node = slicer.mrmlScene.GetSingletonNode(self._module, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(self._module)
            node = slicer.mrmlScene.AddNode(node)
        self._widget.setMRMLSegmentEditorNode(node)
        self._widget.setSegmentationNode(segmentation)
        if volume is not None:
            self._widget.setSourceVolumeNode(volume)
        self._edits = True
        self._listen()

    def let_go(self) -> None:
        """Edit nothing any more; asked for at the last moment also while the scene is closed."""
        self._edits = False
        self._widget.setSegmentationNode(None)
        self._rest()

    def enter(self) -> None:
        """The panel is looked at."""
        self._here = True
        self._listen()

    def leave(self) -> None:
        """The user goes elsewhere."""
        self._here = False
        self._rest()

    def _listen(self) -> None:
        if self._here and self._edits:
            self._widget.installKeyboardShortcuts()

    def _rest(self) -> None:
        self._widget.setActiveEffect(None)
        self._widget.uninstallKeyboardShortcuts()
        self._widget.removeViewObservations()
