"""From a case to its voxels: the scan, and what is painted on it as one labelmap of the study's structures."""

from __future__ import annotations

from collections.abc import Sequence

from mmgl.imaging.grid import Array
from mmgl.imaging.reading import Header, read_case_scan, read_header
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation_files import place, read_segmentation
from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study.cases import Case, Image
from mmgl.study.identity import segment_keys
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


def read_labelmap(case: Case, structures: Sequence[Structure]) -> Array:
    """Return the label of a case on the grid of its scan, i + 1 for ``structures[i]`` (``Study.read_labelmap``)."""
    if case.label is None:
        raise MMGLError("study.unlabelled_case", case=case.name)
    path, first = case.label.path, case.images[0]
    segmentation = read_segmentation(path)
    meanings = settled(case.label.meanings, segmentation.segments, structures, case.name, path)
    placed = place(segmentation, read_header(first.path, first.series or None).grid, path)
    numbers = {structure.id: i + 1 for i, structure in enumerate(structures)}
    labelmap = placed.labelmap([numbers.get(meanings[key], 0) for key in segment_keys(placed.segments)])
    if not labelmap.any():
        raise MMGLError("label.empty", path=path)
    return labelmap
