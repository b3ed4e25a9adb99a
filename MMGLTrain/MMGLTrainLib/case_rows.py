"""What the table says of a case, in words."""

from slicer.i18n import tr as _

from mmgl.study import Use


def columns():
    """Return the headings."""
    return [_("Scan"), _("Label"), _("Used to"), _("Next"), _("Patient"), _("Kind"), _("Voxels"), _("Voxel size (mm)")]


def uses():
    """Return what a case can be for, in words."""
    return {Use.TRAIN.value: _("learn from"), Use.CHECK.value: _("check with"), Use.LEAVE_OUT.value: _("left out")}


def row(case, facts, finding, missing, begun=False):
    """Return the texts of a case, a text for each column.

    Args:
        case: of the study.
        facts: what is known of it (``errands.survey``), or nothing yet.
        finding: the gravest one about it, or None.
        missing: whether one of its files is not there.
        begun: whether something is painted in it that is not done.
    """
    state, step = _("begun") if begun and not case.label else _state(case, facts), ""
    if missing:
        state, step = _("not found"), _("Find its folder")
    elif finding is not None:
        step = f"⚠ {finding['words'].rpartition('. ')[2] or finding['words']}"
    elif case.use is Use.LEAVE_OUT:
        step = ""
    elif begun:
        step = _("Go on painting")
    elif not case.label:
        step = _("Label it, if you like")
    size, spacing = facts.get("size", []), facts.get("spacing", [])
    return [
        case.name,
        state,
        uses()[case.use.value],
        step,
        case.patient,
        facts.get("modality", ""),
        " × ".join(str(n) for n in reversed(size)),
        " × ".join(f"{mm:.3g}" for mm in reversed(spacing)),
    ]


def _state(case, facts):
    """Return how far a case is labelled."""
    if not case.label:
        return _("unlabelled")
    known = {int(number) for number in facts.get("voxels", {})}
    partly = bool(facts.get("slices")) or (facts and not known)
    said = [extent.value for extent in case.label.extents.values()]
    return _("partly labelled") if partly or "not labelled" in said or "slices" in said else _("labelled")
