"""A heart to try MMGL on where there is no scan: short-axis cine MR of patients who do not exist."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mmgl.demo.acquisition import acquire, thick
from mmgl.demo.canvas import Canvas
from mmgl.demo.heart import Heart, Patient, draw_patient, heart_at
from mmgl.demo.torso import Tissues, draw_tissues, paint_torso
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.scan import Scan
from mmgl.structures import Structure


def _terminology(code: str, meaning: str) -> str:
    """Return Slicer's serialised entry of an anatomical structure of SNOMED CT."""
    context = "Segmentation category and type - DICOM master list"
    category = "SCT^123037004^Anatomical Structure"
    return f"{context}~{category}~SCT^{code}^{meaning}~^^~Anatomic codes - DICOM master list~^^~^^"


STRUCTURES = (
    Structure(1, "Right ventricle", (66, 120, 200), _terminology("53085002", "Right ventricle")),
    Structure(2, "Myocardium", (76, 160, 72), _terminology("74281007", "Myocardium")),
    Structure(3, "Left ventricle", (214, 73, 73), _terminology("87878005", "Left ventricle")),
)
"""What the labelmap of a phantom holds; as is the convention, papillary muscles belong to the cavity."""


def heart_phantom(
    seed: int, *, phase: float = 0.0, thickness: float = 8.0, in_plane: float = 1.8, size: int = 96
) -> tuple[Scan, Array, tuple[Structure, ...]]:
    """Return a scan of a patient who does not exist, its labelmap, and the structures in it.

    The first slice is at the apex and the last at the base. A seed is a patient: thickness, spacing and phase change
    how and when the patient is scanned, not who it is.

    Args:
        seed: of the patient and of the scanner, 0 or more.
        phase: 0 at end diastole to 1 at end systole.
        thickness: mm between slices, and through one.
        in_plane: mm between voxels in a slice.
        size: voxels along y and x.

    Returns:
        The scan, (1, z, y, x) of int16 over about 80 mm; the labelmap, (z, y, x) of uint8; ``STRUCTURES``.

    Raises:
        ValueError: an argument is out of its range.
    """
    if seed < 0 or not 0 <= phase <= 1 or thickness <= 0 or in_plane <= 0 or size < 8:
        raise ValueError("seed must be 0 or more, phase 0 to 1, thickness and in_plane above 0 and size 8 or more")
    # one generator for each purpose, so that none of them sees how much another one drew
    patient_rng, heart_rng, torso_rng, scanner_rng = (np.random.default_rng([seed, purpose]) for purpose in range(4))
    patient = draw_patient(patient_rng)
    tissues = draw_tissues(scanner_rng)
    canvas, thin = _canvas(patient, thickness, in_plane, size, patient_rng)
    slices = len(canvas.image) // thin
    shifts = np.repeat(np.clip(patient_rng.normal(0, 0.7, (slices, 2)), -2, 2), thin, axis=0)
    heart = heart_at(phase, patient, canvas, heart_rng, shifts)

    paint_torso(canvas, patient, tissues, torso_rng)
    _paint_great_vessels(canvas, heart, patient, tissues, heart_rng)
    _paint_ventricles(canvas, heart, patient, tissues, heart_rng)
    image = acquire(canvas, thin, scanner_rng, np.random.default_rng([seed, 4, round(1e6 * phase)]))

    corner = -in_plane * (size - 1) / 2
    grid = Grid((slices, size, size), (thickness, in_plane, in_plane), (-thickness * (slices - 1) / 2, corner, corner))
    return Scan(image[None], grid, "MR"), _labelmap(heart, thin), STRUCTURES


def _canvas(
    patient: Patient, thickness: float, in_plane: float, size: int, rng: np.random.Generator
) -> tuple[Canvas, int]:
    """Return an empty canvas of thin slices that covers the heart with a margin, and the number of them in a slice."""
    above, under = rng.uniform(1, 9), rng.uniform(-7, 4)
    slices = max(1, round((above + patient.length + patient.wall + under) / thickness))
    thin = max(1, round(thickness / 2.7))
    z = (np.arange(slices * thin)[::-1] + 0.5) * thickness / thin - above
    across = (np.arange(size) - (size - 1) / 2) * in_plane
    return Canvas(z, across, across), thin


def _paint_great_vessels(
    canvas: Canvas, heart: Heart, patient: Patient, tissues: Tissues, rng: np.random.Generator
) -> None:
    """Paint the fat the heart lies in, and what lies above its base: atria, aortic root and outflow tract.

    They hold the same blood as the ventricles and are no part of them: the first thing a network has to learn.
    """
    outside = patient.cavity + patient.wall
    wave = canvas.field(rng, 30, 18)
    vessels = np.full((1, 1, 1), -np.inf, np.float32)
    for toward, forward, radius in (
        (rng.uniform(-8, 4), rng.uniform(-10, 4), outside * rng.uniform(0.7, 0.95)),  # left atrium, or its outflow
        (outside * rng.uniform(0.7, 1), rng.uniform(2, 16), rng.uniform(11, 16)),  # root of the aorta
        (outside + patient.depth * rng.uniform(0.3, 0.8), rng.uniform(-24, -4), rng.uniform(17, 26)),  # right atrium
        (outside + patient.depth * rng.uniform(0.1, 0.5), rng.uniform(24, 42), rng.uniform(11, 15)),  # pulmonary trunk
    ):
        disc = radius + 2 * wave - np.hypot(heart.toward - toward, heart.forward - forward)
        vessels = np.maximum(vessels, disc)
    vessels = np.minimum(vessels, -heart.below_base)

    # a soft maximum, because fat fills the grooves where the ventricles meet
    surface = 5 * np.logaddexp(heart.outer / 5, (heart.right + 2.5) / 5)
    thickness = patient.fat * (0.3 + 0.9 * canvas.field(rng, 40, 22)) + 3 * heart.level
    canvas.paint(np.maximum(surface, vessels + 3) + np.maximum(thickness, 0), tissues.fat, fat=1)
    canvas.paint(vessels + 2, 0.9 * tissues.muscle)
    canvas.paint(vessels, tissues.blood * (0.95 + 0.06 * canvas.field(rng, 14, 7)))


def _paint_ventricles(
    canvas: Canvas, heart: Heart, patient: Patient, tissues: Tissues, rng: np.random.Generator
) -> None:
    """Paint both ventricles, with papillary muscles and trabeculae in their blood."""
    grain = canvas.field(rng, 9, 4.5)
    flow = canvas.field(rng, 16, 8)
    below = heart.below_base
    muscle = tissues.muscle * (1 + 0.06 * flow)
    blood = tissues.blood * (1 + 0.05 * grain + 0.03 * flow)
    canvas.paint(np.minimum(heart.right + 2.5, below), muscle)
    canvas.paint(np.minimum(heart.right, below), blood * rng.uniform(0.96, 1.02))
    strands = 2.5 * (grain - rng.uniform(1.5, 2.4) + 0.9 * heart.level)
    canvas.paint(np.minimum(np.minimum(heart.right, below), strands), 1.2 * tissues.muscle)

    canvas.paint(np.minimum(heart.outer, below), muscle)
    cavity = np.minimum(heart.left, below)
    canvas.paint(cavity, blood)
    rough = (1.0 + rng.uniform(1.0, 4.0) * heart.level) * (0.3 + grain) - heart.left
    canvas.paint(np.minimum(cavity, rough), 1.15 * tissues.muscle)
    inner = np.maximum(heart.left + np.hypot(heart.toward, heart.forward), 1)
    for angle in (rng.normal(2.3, 0.2), rng.normal(-2.0, 0.2)):
        radius = rng.uniform(3.0, 6.0) * np.sqrt(heart.radius / 22) - 18 * np.maximum(
            np.abs(heart.level - 0.5) - 0.25, 0
        )
        place = rng.uniform(0.64, 0.8) * inner
        muscle_at = np.hypot(heart.toward - place * np.cos(angle), heart.forward - place * np.sin(angle))
        canvas.paint(np.minimum(cavity, radius + 0.8 * grain - muscle_at), tissues.muscle)


def _labelmap(heart: Heart, thin: int) -> Array:
    """Return the labelmap (z, y, x): what most of the thin slices of a slice hold."""
    left, outer = (heart.left > 0) & (heart.below_base > 0), (heart.outer > 0) & (heart.below_base > 0)
    right = (heart.right > 0) & (heart.below_base > 0) & ~outer
    cover = np.stack([thick(part.astype(np.float32), thin) for part in (right, outer & ~left, left)])
    labelmap = np.where(cover.sum(axis=0) > 0.5, cover.argmax(axis=0) + 1, 0).astype(np.uint8)
    # nobody paints the single voxels in which the crescent's tips end
    tips = (labelmap == 1) & ~ndimage.binary_opening(labelmap == 1, ndimage.generate_binary_structure(2, 1)[None])
    labelmap[tips] = 0
    return labelmap
