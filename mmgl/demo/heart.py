"""The heart of the phantom: a patient's own anatomy, and the two ventricles at any moment of the beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmgl.demo.canvas import Canvas
from mmgl.imaging.grid import Array


@dataclass(frozen=True)
class Patient:
    """Lengths in mm at end diastole, angles in radians.

    Attributes:
        cavity: radius of the left ventricle's cavity.
        wall: thickness of its wall.
        bulge: how much thicker than that the wall is where it is thickest, and the angle from the septum of that place.
        length: of the cavity from base to apex.
        descent: how far the base moves towards the apex in systole.
        ejection: the part of the left ventricle's blood that leaves it in systole.
        point: roundness of the apex, 2 for an ellipse.
        centre: (y, x) of the left ventricle at the base.
        tilt: (y, x) that this centre moves for each mm towards the apex.
        septum: direction from the left ventricle to the right one, pi for straight to the patient's right.
        depth: from the septum to the free wall of the right ventricle.
        height: half height of the right ventricle.
        reach: length of the right ventricle in parts of that of the left one.
        taper: how triangular the right ventricle is, 0 for an ellipse.
        fat: thickness of the fat on the heart.
    """

    cavity: float
    wall: float
    bulge: tuple[float, float]
    length: float
    descent: float
    ejection: float
    point: float
    centre: tuple[float, float]
    tilt: tuple[float, float]
    septum: float
    depth: float
    height: float
    reach: float
    taper: float
    fat: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """Return a random patient: half of them healthy, the others with a dilated, a thickened or a wide right heart."""
    kind = rng.choice(["healthy", "dilated", "thickened", "right"], p=[0.5, 0.2, 0.2, 0.1])
    cavity, wall, ejection, bulge = {
        "healthy": ((24, 29), (6.5, 9.0), (0.52, 0.66), (0, 2)),
        "dilated": ((31, 36), (6.0, 7.5), (0.44, 0.50), (0, 1.5)),
        "thickened": ((21, 25), (10.0, 13.5), (0.58, 0.67), (1, 6)),
        "right": ((22, 27), (6.5, 8.5), (0.48, 0.60), (0, 1.5)),
    }[kind]
    size = rng.uniform(0.9, 1.1)
    depth = rng.uniform(35, 44) if kind == "right" else rng.uniform(22, 34)
    radius = size * rng.uniform(*cavity)
    return Patient(
        cavity=radius,
        wall=size * rng.uniform(*wall),
        bulge=(size * rng.uniform(*bulge), rng.normal(0, 0.6)),
        length=size * rng.uniform(62, 74),
        descent=size * (rng.uniform(4, 7) if kind == "dilated" else rng.uniform(8, 13)),
        ejection=rng.uniform(*ejection),
        point=rng.uniform(2.0, 3.2),
        centre=(rng.uniform(-22, 12), size * depth / 2 + rng.uniform(-13, 12)),
        tilt=(rng.uniform(-0.15, 0.25), rng.uniform(-0.1, 0.3)),
        septum=np.pi + rng.normal(0.05, 0.28),
        depth=size * depth,
        height=radius + size * (rng.uniform(12, 20) if kind == "right" else rng.uniform(8, 16)),
        reach=rng.uniform(0.72, 0.95),
        taper=rng.uniform(0.05, 0.4),
        fat=rng.uniform(2, 9),
    )


@dataclass(frozen=True)
class Heart:
    """Where the ventricles are, each (z, y, x): mm to the border, positive inside.

    Attributes:
        left: the cavity of the left ventricle, papillary muscles included.
        outer: the outer surface of the left ventricle's wall.
        right: the cavity of the right ventricle.
        below_base: (z, 1, 1), mm from the base, positive towards the apex.
        level: (z, 1, 1), 0 at the base and 1 at the apex.
        toward: (z, y, x), mm from the axis of the left ventricle towards the right ventricle.
        forward: (z, y, x), mm from that axis at right angles to it, towards the front of the patient.
        radius: mm, of the left cavity at the base.
    """

    left: Array
    outer: Array
    right: Array
    below_base: Array
    level: Array
    toward: Array
    forward: Array
    radius: float


def heart_at(phase: float, patient: Patient, canvas: Canvas, rng: np.random.Generator, shifts: Array) -> Heart:
    """Return the heart at a moment of the beat.

    Args:
        phase: 0 at end diastole to 1 at end systole.
        patient: whose heart it is.
        canvas: where it lies.
        rng: what makes this heart irregular; the same generator gives the same heart at every phase.
        shifts: (z, 2), mm (y, x) by which breathing moved the heart in each slice.
    """
    below = canvas.z - patient.descent * phase
    length = patient.length - patient.descent * phase
    radius = patient.cavity * np.sqrt((1 - patient.ejection * phase) * patient.length / length)
    # the muscle keeps its volume, so a shorter wall around a smaller cavity is a thicker one
    ring = (patient.cavity + patient.wall) ** 2 - patient.cavity**2
    outside = np.sqrt(radius**2 + ring * patient.length / length)

    toward, forward = _from_axis(patient, canvas, rng, shifts)
    from_axis = np.hypot(toward, forward) + np.float32(1e-3)

    bulge, at = patient.bulge
    thicker = bulge * (0.5 + 0.5 * (toward * np.cos(at) + forward * np.sin(at)) / from_axis).astype(np.float32) ** 2
    apical = 0.85 * patient.wall
    inner_border = radius * _profile(below / length, patient.point) - _beyond(below - length)
    outer_border = outside * _profile(below / (length + apical), patient.point) - _beyond(below - length - apical)
    outer = (outer_border + thicker - from_axis) * _steepness(outer_border, canvas.z)
    egg = _egg(phase, patient, canvas.z, below / (length * patient.reach), outer_border, toward, forward)
    return Heart(
        left=(inner_border - from_axis) * _steepness(inner_border, canvas.z),
        outer=outer,
        # what the left ventricle does not take of an egg; a soft minimum rounds the corners of this crescent
        right=-2 * np.logaddexp(-egg / 2, outer / 2),
        below_base=below,
        level=np.clip(below / length, 0, 1),
        toward=toward,
        forward=forward,
        radius=float(radius),
    )


def _from_axis(patient: Patient, canvas: Canvas, rng: np.random.Generator, shifts: Array) -> tuple[Array, Array]:
    """Return mm from the axis of the left ventricle, towards the right ventricle and forward; no two are bent alike."""
    y, x = (
        p
        - centre
        - tilt * canvas.z
        - shifts[:, i, None, None]
        + 2.2 * canvas.field(rng, 60, 32)
        + 0.5 * canvas.field(rng, 25, 12)
        for i, (p, centre, tilt) in enumerate(zip((canvas.y, canvas.x), patient.centre, patient.tilt, strict=True))
    )
    cos, sin = np.float32(np.cos(patient.septum)), np.float32(np.sin(patient.septum))
    return x * cos + y * sin, y * cos - x * sin


def _egg(phase: float, patient: Patient, z: Array, level: Array, outer: Array, toward: Array, forward: Array) -> Array:
    """Return mm to the border of the egg made of the right ventricle and the part of the left one that dents it."""
    profile = _profile(level, 2.2)
    behind = 0.55 * np.maximum(outer, 1)
    across = np.maximum((outer - behind) + patient.depth * (1 - 0.38 * phase) * profile, 0.5)
    along = np.maximum(patient.height * (1 - 0.16 * phase) * profile, 0.5)
    u = (toward - behind) / across
    v = (forward - 8 * np.clip(0.5 - level, -0.2, 0.6)) / along * (1 + patient.taper * u)
    rim = np.sqrt(u * u + v * v) + np.float32(1e-3)
    from_middle = np.hypot(toward - behind, forward)
    egg: Array = (from_middle / rim - from_middle) * _steepness(across, z) - _beyond(25 * (level - 1))
    # it wraps the septum and no more
    wrap = toward + 0.1 * outer - 0.9 * _beyond(np.abs(forward) - 0.75 * outer)
    return np.minimum(egg, 0.75 * wrap)


def _profile(level: Array, point: float) -> Array:
    """Return the radius at a level from base (0) to apex (1) in parts of the largest one; a little less at the base."""
    inside = np.clip(level, 0, 1)
    profile: Array = np.sqrt(1 - inside**point) * (1 - 0.5 * np.clip(0.35 - inside, 0, 1) ** 2)
    return profile


def _steepness(border: Array, z: Array) -> Array:
    """Return mm to a surface for each mm to it within the slice: less than 1 where it slopes, as near the apex.

    Without it, a soft edge would be as sharp on a slope as on a wall, and thin slices would show as steps.
    """
    slope = np.gradient(border[:, 0, 0], z[:, 0, 0]) if len(z) > 1 else np.zeros(1, np.float32)
    steepness: Array = (1 / np.sqrt(1 + slope**2))[:, None, None]
    return steepness


def _beyond(distance: Array) -> Array:
    """Return how far beyond an end a place is, and 0 before it."""
    return np.maximum(distance, 0)
