"""Samples in Slicer's *Sample Data* that are drawn on this computer, so that a hospital without network has them."""

import numpy as np
import slicer
from slicer.i18n import tr as _

PATIENT, FRAMES = 7, 6
"""The number of a patient who does not exist, and how often the beating heart is scanned."""


def register(sampleData, resources):
    """Add the samples to the module *Sample Data*.

    Args:
        sampleData: that module.
        resources: folder with the thumbnails.
    """
    for name, draw in {"MMGLHeart": heart, "MMGLBeatingHeart": beating_heart}.items():
        sampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="MMGL",
            sampleName=name,
            uris=[],  # nothing is downloaded; Slicer takes the length of each of the three
            fileNames=[],
            nodeNames=[],
            thumbnailFileName=str(resources / "Icons" / f"{name}.png"),
            customDownloader=draw,
        )


def heart(source=None):
    """Draw a heart as a volume node, and show it."""
    voxels, to_ras = _drawn(0.0)
    node = slicer.util.addVolumeFromArray(voxels, to_ras, _("Phantom heart"))
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


def beating_heart(source=None):
    """Draw a heartbeat as a sequence, and show its first frame."""
    scene = slicer.mrmlScene
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", _("Phantom heartbeat"))
    sequence.SetIndexName("phase")
    sequence.SetIndexUnit("%")
    sequence.SetIndexType(sequence.NumericIndex)
    for phase in np.linspace(0, 1, FRAMES):
        voxels, to_ras = _drawn(float(phase))
        frame = slicer.util.addVolumeFromArray(voxels, to_ras, _("Phantom heartbeat"))
        sequence.SetDataNodeAtValue(frame, f"{100 * phase:.0f}")
        scene.RemoveNode(frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", _("Phantom heartbeat"))
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    node = browser.GetProxyNode(sequence)
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


def _drawn(phase):
    """Return the voxels (z, y, x) of the patient at a phase of the heartbeat, and their matrix to RAS."""
    from mmgl.demo.phantom import heart_phantom
    from MMGLLib.segmenting import affine

    scan, _labelmap, _structures = heart_phantom(PATIENT, phase=phase)
    return np.ascontiguousarray(scan.array[0]), np.diag([-1.0, -1, 1, 1]) @ affine(scan.grid)
