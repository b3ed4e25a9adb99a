"""What surrounds the heart of the phantom: chest wall, lungs, abdomen, great vessels and spine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmgl.demo.canvas import Canvas
from mmgl.demo.heart import Patient
from mmgl.imaging.grid import Array


@dataclass(frozen=True)
class Tissues:
    """Signal of each tissue in one scan, in parts of the signal of blood."""

    blood: float
    muscle: float
    fat: float
    liver: float
    lung: float
    skeletal: float
    stomach: float


def draw_tissues(rng: np.random.Generator) -> Tissues:
    """Return the contrast of one scan: no two scanners, and no two patients, look alike."""
    muscle = rng.uniform(0.26, 0.46)
    return Tissues(
        blood=1.0,
        muscle=muscle,
        fat=rng.uniform(0.7, 1.2),
        liver=muscle * rng.uniform(0.7, 1.3),
        lung=rng.uniform(0.03, 0.12),
        skeletal=muscle * rng.uniform(0.55, 0.9),
        stomach=rng.choice([0.08, 0.35, 0.6, 0.95]) * rng.uniform(0.8, 1.2),
    )


def paint_torso(canvas: Canvas, patient: Patient, tissues: Tissues, rng: np.random.Generator) -> None:
    """Paint everything but the heart.

    Args:
        canvas: empty.
        patient: the heart that has to fit in.
        tissues: the contrast of the scan.
        rng: what makes this torso its own.
    """
    waves = [canvas.field(rng, 70, 45) for _ in range(2)]
    y, x = canvas.y + 4 * waves[0], canvas.x + 4 * waves[1]
    y, x = y - patient.centre[0], x - patient.centre[1]
    _paint_chest(canvas, patient, tissues, rng, y, x, waves[0])
    _paint_abdomen(canvas, patient, tissues, rng, y, x)
    _paint_back(canvas, patient, tissues, rng, y, x)


def _paint_chest(
    canvas: Canvas, patient: Patient, tissues: Tissues, rng: np.random.Generator, y: Array, x: Array, wave: Array
) -> None:
    """Paint skin, fat, muscle, ribs and the lungs with their vessels; the wall comes nearer towards the apex."""
    fat, muscle, bend = rng.uniform(5, 26), rng.uniform(8, 14), rng.uniform(110, 150)
    angle = np.pi + rng.uniform(0.15, 0.85)
    heart = patient.cavity + patient.wall + patient.depth
    gap = heart + fat + muscle + rng.uniform(0, 14) - rng.uniform(0.2, 0.45) * canvas.z
    middle = bend - gap
    depth = bend - np.hypot(x + middle * np.cos(angle), (y + middle * np.sin(angle)) / 1.12)
    canvas.paint(depth, 0.5 * tissues.fat)
    strands = np.abs(canvas.field(rng, 14, 9))
    canvas.paint(depth - 2, tissues.fat * (1 - 0.35 * np.clip(1 - 4 * strands, 0, 1)), fat=1)
    inner = depth - fat * (1 + 0.35 * wave)
    canvas.paint(inner, tissues.skeletal)
    along = (x * np.sin(angle) - y * np.cos(angle)) / rng.uniform(26, 34) + 0.02 * canvas.z + rng.uniform(0, 1)
    ribs = np.minimum(4 - np.abs(inner - muscle + 5), 18 * (np.cos(2 * np.pi * along) - 0.35))
    canvas.paint(ribs, 0.3 * tissues.skeletal)
    canvas.paint(ribs - 1.8, 0.55 * tissues.fat, fat=0.5)
    lung = inner - muscle
    canvas.paint(lung + 1.5, 0.8 * tissues.fat * rng.uniform(0.3, 1), fat=1)
    canvas.paint(lung, tissues.lung)
    vessels = canvas.field(rng, 14, 4) + 0.5 * canvas.field(rng, 40, 30)
    canvas.paint(np.minimum(lung - 8, 2 * (vessels - rng.uniform(2.1, 2.6))), rng.uniform(0.5, 0.9))
    # fat between the heart and the breast bone
    ahead = x * np.cos(angle) + y * np.sin(angle)
    beside = np.abs(x * np.sin(angle) - y * np.cos(angle) + rng.uniform(-8, 16) + 0.12 * ahead)
    width = rng.uniform(3, 22) + 22 * np.exp(-np.maximum(lung, -4) / 9) + 5 * canvas.field(rng, 40, 16)
    pad = np.minimum(width - beside, ahead)
    canvas.paint(np.minimum(pad, lung + 4), tissues.fat * (1 - 0.3 * np.clip(1 - 3 * strands, 0, 1)), fat=1)


def _paint_back(
    canvas: Canvas, patient: Patient, tissues: Tissues, rng: np.random.Generator, y: Array, x: Array
) -> None:
    """Paint the descending aorta beside the spine, in their fat, behind the heart."""
    radius = rng.uniform(8.5, 13)
    down = patient.cavity + patient.wall + radius + rng.uniform(6, 22) + rng.uniform(-0.1, 0.15) * canvas.z
    across = rng.uniform(-12, 26) + rng.uniform(-0.15, 0.15) * canvas.z
    spine = np.hypot(x - across + 1.6 * radius + 16, 1.2 * (y - down) - 22)
    aorta = radius - np.hypot(x - across, (y - down) * rng.uniform(0.85, 1.1))
    canvas.paint(aorta + rng.uniform(-2, 8), 0.9 * tissues.fat, fat=1)
    canvas.paint(23 - spine, 0.5 * tissues.skeletal)
    canvas.paint(21 - spine, tissues.liver * rng.uniform(0.8, 1.6) * (1 + 0.12 * canvas.field(rng, 12, 6)))
    canvas.paint(6 - np.hypot(x - across + 1.3 * radius + 4, y - down + 0.8 * radius), tissues.skeletal)
    canvas.paint(aorta + 1.2, tissues.skeletal)
    canvas.paint(aorta, tissues.blood * rng.uniform(0.9, 1.25))


def _paint_abdomen(
    canvas: Canvas, patient: Patient, tissues: Tissues, rng: np.random.Generator, y: Array, x: Array
) -> None:
    """Paint what lies below the diaphragm, which rises towards the apex: liver, stomach, spleen and fat."""
    outside = patient.cavity + patient.wall
    rise = outside + rng.uniform(10, 36) - rng.uniform(0.45, 0.8) * canvas.z
    dome, lean = rng.uniform(-30, 10), rng.uniform(-0.15, 0.35)
    below = (y - patient.tilt[0] * canvas.z - rise + lean * x - (x - dome) ** 2 / rng.uniform(180, 420)) * 0.9
    canvas.paint(below + 1.5, tissues.skeletal)
    lumps = np.abs(canvas.field(rng, 18, 10))
    canvas.paint(below, tissues.fat * (0.55 + 0.45 * np.clip(2.5 * lumps, 0, 1)), fat=1)
    edge = rng.uniform(-8, 22) + rng.uniform(-0.2, 0.4) * canvas.z
    liver = np.minimum(below + 0.5, 0.8 * (edge - x - rng.uniform(-0.3, 0.6) * y + 6 * canvas.field(rng, 50, 25)))
    canvas.paint(liver, tissues.liver)
    canvas.paint(np.minimum(liver - 4, 3 * (canvas.field(rng, 10, 7) - 1.7)), rng.uniform(0.45, 0.9))
    wide, high = rng.uniform(16, 30), rng.uniform(12, 24)
    oval = np.hypot((x - edge - wide - rng.uniform(-6, 6)) / wide, (y - rise - high - rng.uniform(4, 12)) / high)
    stomach = np.minimum((1 - oval) * high, below - 1)
    canvas.paint(stomach + 3.5, tissues.skeletal)
    canvas.paint(stomach, tissues.stomach * (1 + 0.25 * canvas.field(rng, 14, 7)))
    spleen = np.minimum(below - 2, x - edge - 2 * wide - rng.uniform(2, 10))
    canvas.paint(spleen, tissues.liver * rng.uniform(0.9, 1.9))
