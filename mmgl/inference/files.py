"""From a scan's file to a result's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmgl.imaging.image_files import stem
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import write_labelmap, write_segmentation
from mmgl.inference.predictor import Predictor
from mmgl.messages import MMGLError


def segment_file(
    predictor: Predictor,
    path: Path,
    folder: Path,
    suffix: str = "seg.nrrd",
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Segment one scan and return the file written, ``folder/NAME.suffix``; never over a file that exists.

    Args:
        path: of a scan, or of a folder that holds one DICOM series.
        suffix: ``seg.nrrd`` keeps names, colours and codes; ``nii.gz``, ``nrrd`` and ``png`` hold values, where
            value i + 1 is structure i of the model.

    Raises:
        MMGLError: the scan cannot be read or does not fit the model, or the result exists.
    """
    result = folder / f"{stem(path)}.{suffix}"
    if result.exists():
        raise MMGLError("file.exists", path=result)
    try:
        scan = read_scan(path)
    except MMGLError as error:
        if error.key == "scan.no_image_in_folder":
            raise MMGLError("scan.not_one", path=path) from error
        raise
    if suffix == "png" and scan.grid.size[0] > 1:
        raise MMGLError("segment.one_slice", path=path, count=scan.grid.size[0])
    labelmap = predictor.segment(scan, progress)
    if suffix == "seg.nrrd":
        write_segmentation(result, labelmap, scan.grid, predictor.structures)
    else:
        write_labelmap(result, np.asarray(labelmap), scan.grid)
    return result


def segment(model: str | Path, scan: str | Path, output: str | Path, *, device: str = "auto") -> Path:
    """Segment one scan with a model file and return the ``.seg.nrrd`` written into the folder ``output``.

    For several scans make one ``Predictor`` and use ``segment_file``, which loads the model once.

    Raises:
        MMGLError: as ``Predictor`` and ``segment_file``.
    """
    return segment_file(Predictor(Path(model), device), Path(scan), Path(output))
