"""The one thing to do about what went wrong, by the key of the error."""

from slicer.i18n import tr as _

from mmgl.jobs.exchange import MOST_PIECES


def actions(panel):
    """Return text and callable of the button for each error that a click can put right."""
    another_model = (_("Choose another model"), lambda: panel.adding.onModel())
    again = (_("Try again"), lambda: panel.one_scan.again())
    region = (_("Choose a region"), lambda: show_advanced(panel))
    return {
        **{key: ways[0] for key, ways in panel.setting_up.ways.items()},
        "slicer.no_model": (_("Add a model"), lambda: panel.adding.onModel()),
        "slicer.no_models": (_("Choose another study"), lambda: panel.adding.onStudy()),
        "slicer.no_study": (_("Choose another study"), lambda: panel.adding.onStudy()),
        "slicer.scan_changed": again,
        "slicer.died": region,
        "device.no_cuda": (_("Use the processor"), lambda: use_processor(panel)),
        "slicer.still_nothing": another_model,
        "model.invalid": another_model,
        "model.changed": another_model,
        "model.channels": another_model,
        "model.pictures": another_model,
        "file.newer": another_model,
        "file.missing": another_model,
        "scan.too_large": region,
        "memory.scan": region,
        "slicer.empty_region": region,
        "segment.region": region,
        "scan.no_image_in_folder": (_("Choose another folder"), lambda: panel.folder.onFolder()),
        "slicer.no_folder": (_("Choose another folder"), lambda: panel.folder.onFolder()),
        "segment.other_results": (_("Choose another folder"), lambda: panel.folder.onFolder()),
    }


def way_on(panel, error, empty=()):
    """Return the button that segments once more in the way that an error calls for, else None.

    Args:
        panel: the panel.
        error: what went wrong.
        empty: names of structures that were not found.
    """
    if error.key == "slicer.bent_scan":
        return _("Segment it as stored"), lambda: panel.one_scan.again(as_stored=True)
    if error.key == "slicer.nothing_found":
        return _("Look at a lower threshold"), lambda: panel.one_scan.again(lower=list(empty))
    pieces = error.parameters.get("pieces", max(4, 2 * panel.one_scan.asked.get("pieces", 1)))
    if error.key in ("memory.segment", "slicer.died") and pieces <= MOST_PIECES:
        return _("Try again in pieces"), lambda: panel.one_scan.again(pieces=pieces)
    return None


def show_advanced(panel):
    """Open the section in which a region can be drawn."""
    panel.ui.advancedSection.collapsed = False


def use_processor(panel):
    """Segment with the processor instead of the graphics card."""
    panel.ui.deviceSelector.setCurrentIndex(panel.ui.deviceSelector.findData("cpu"))
    panel.one_scan.again()
