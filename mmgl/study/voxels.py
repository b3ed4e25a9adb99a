"""From a case to its voxels: the scan, and what is painted on it as one labelmap of the study's structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.reading import Header, read_case_scan, read_header
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation import Segmentation
from mmgl.imaging.segmentation_files import place, read_segmentation
from mmgl.messages import MMGLError
from mmgl.structures import UNLABELLED, Structure
from mmgl.study.cases import BACKGROUND, NOT_LABELLED, Case, Image, Label
from mmgl.study.extents import Extent, pieces, sparse_slices
from mmgl.study.identity import segment_keys
from mmgl.study.label_codes import Sets, encode
from mmgl.study.meanings import settled


def read_common_header(images: Sequence[Image], case: str) -> Header:
    """Return the header of the first image, after a check that all lie on its grid.

    Raises:
        MMGLError: ``scan.channels_differ``, ``file.missing`` or another ``scan.*``.
    """
    first, *others = (read_header(image.path, image.series or None) for image in images)
    for image, other in zip(images[1:], others, strict=True):
        if not other.grid.same_as(first.grid):
            raise MMGLError("scan.channels_differ", case=case, first=images[0].path.name, other=image.path.name)
    return first


def read_scan(case: Case) -> Scan:
    """Return the scan of a case, its images as channels (``Study.read_scan``)."""
    return read_case_scan([(image.path, image.series or None) for image in case.images], case.name)


@dataclass(frozen=True)
class LabelVoxels:
    """What is labelled on a case, and what is not.

    Attributes:
        labelmap: (z, y, x) int32 on the grid of the scan; i + 1 for the study's ``structures[i]``, 0 background,
            ``UNLABELLED`` where nothing is known, and -2 - i where it is background or one of ``sets[i]``.
        sets: labelmap values of structures.
        extents: of every structure, by its labelmap value.
        grid: of the scan.
    """

    labelmap: Array
    sets: Sets
    extents: Mapping[int, Extent]
    grid: Grid


def read_label(case: Case, structures: Sequence[Structure]) -> LabelVoxels:
    """Return the label of a case on the grid of its scan (``Study.read_label``)."""
    labelmap, grid = read_painted(case, structures)
    label = _label_of(case)
    background = labelmap == len(structures) + 1
    labelmap[labelmap == len(structures) + 2] = UNLABELLED
    painted = labelmap > 0
    labelmap[background] = 0
    extents = label_extents(labelmap, label, structures, strokes=bool(background.any()))
    if not (labelmap > 0).any() and not all(extent is Extent.ABSENT for extent in extents.values()):
        raise MMGLError("label.empty", path=label.path)
    return LabelVoxels(*encode(labelmap, painted, extents), extents, grid)


def painted_labelmap(placed: Segmentation, numbers: Sequence[int], structures: Sequence[Structure]) -> Array:
    """Return what is painted as one labelmap (z, y, x) of int32.

    i + 1 is ``structures[i]``; the next number is painted background, the one after it "nobody said what is here".

    Args:
        placed: on the grid of the scan.
        numbers: what each of its segments means, as ``Label.meanings`` has it.
        structures: of the study.
    """
    values = {structure.id: i for i, structure in enumerate(structures, start=1)}
    values |= {BACKGROUND: len(structures) + 1, NOT_LABELLED: len(structures) + 2}
    return placed.labelmap([values.get(number, 0) for number in numbers])


def read_painted(case: Case, structures: Sequence[Structure]) -> tuple[Array, Grid]:
    """Return what is painted on a case (``painted_labelmap``) before anything follows from it, and the scan's grid."""
    label, first = _label_of(case), case.images[0]
    segmentation = read_segmentation(label.path)
    meanings = settled(label.meanings, segmentation.segments, structures, case.name, label.path)
    placed = place(segmentation, read_header(first.path, first.series or None).grid, label.path)
    numbers = [meanings[key] for key in segment_keys(segmentation.segments)]
    return painted_labelmap(placed, numbers, structures), placed.grid


def _label_of(case: Case) -> Label:
    """Return the label of a case, or raise ``study.unlabelled_case``."""
    if case.label is None:
        raise MMGLError("study.unlabelled_case", case=case.name)
    return case.label


def label_extents(
    labelmap: Array, label: Label, structures: Sequence[Structure], *, strokes: bool = False
) -> dict[int, Extent]:
    """Return how far each structure is labelled, by its labelmap value: as the user said, else as the voxels tell.

    Where nobody said anything, a structure that is not painted is not labelled, one that is painted on some slices is
    labelled on these, and in a label with painted background (``strokes``) only what is painted counts.
    """
    found = pieces(labelmap, len(structures))
    sparse = sparse_slices(found)
    extents = {}
    for value, structure in enumerate(structures, start=1):
        extent = label.extents.get(structure.id)
        if extent is None and strokes:
            extent = Extent.PAINTED
        elif extent is None and value in found:
            extent = Extent.SLICES if value in sparse else Extent.EVERYWHERE
        elif value not in found and extent in (None, Extent.SLICES):
            extent = Extent.NOWHERE
        elif value in found and extent in (Extent.ABSENT, Extent.NOWHERE):
            extent = Extent.EVERYWHERE  # painted since it was said
        extents[value] = extent or Extent.NOWHERE
    return extents
