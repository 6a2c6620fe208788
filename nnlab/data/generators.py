"""Generated datasets: the playground's six, and two half moons.

Source: TensorFlow Playground, ``dataset.ts`` (D. Smilkov and S. Carter, 2016); our random numbers differ.
Noise is a share, 0 to 0.5. The playground's labels +1 and -1 are our classes 1 and 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nnlab.data.frames import FloatArray, Frame, Table

if TYPE_CHECKING:
    from collections.abc import Callable

Rng: TypeAlias = np.random.Generator
Points: TypeAlias = tuple[FloatArray, FloatArray]
"""Inputs (rows, 2), and labels (rows,): 0 or 1, or a value."""

RADIUS = 5.0
EDGE = 6.0
GAUSSIANS = np.array([[-4, 2.5, 1], [0, 2.5, -1], [4, 2.5, 1], [-4, -2.5, -1], [0, -2.5, 1], [4, -2.5, -1]])
"""Centres of ``reg-gauss``: x, y and sign."""


def circle(rows: int, noise: float, rng: Rng) -> Points:
    """A disc inside a ring. Noise flips labels near the border; points stay."""
    inner = rows // 2
    radius = np.concatenate(
        [rng.uniform(0, 0.5 * RADIUS, inner), rng.uniform(0.7 * RADIUS, RADIUS, rows - inner)]
    )
    angle = rng.uniform(0, 2 * np.pi, rows)
    x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    shifted = x + rng.uniform(-RADIUS, RADIUS, (rows, 2)) * noise
    return x, (np.hypot(shifted[:, 0], shifted[:, 1]) < 0.5 * RADIUS).astype(np.float64)


def xor(rows: int, noise: float, rng: Rng) -> Points:
    """Four quadrants, equal signs against unequal ones. Noise flips labels; points stay."""
    x = rng.uniform(-5, 5, (rows, 2))
    x += np.where(x > 0, 0.3, -0.3)
    shifted = x + rng.uniform(-5, 5, (rows, 2)) * noise
    return x, (shifted[:, 0] * shifted[:, 1] >= 0).astype(np.float64)


def gauss(rows: int, noise: float, rng: Rng) -> Points:
    """Two round clouds. Noise widens both: variance 0.5 to 4."""
    label = _halves(rows)
    centre = np.where(label == 1, 2.0, -2.0)[:, None]
    return centre + np.sqrt(0.5 + 7 * noise) * rng.standard_normal((rows, 2)), label


def spiral(rows: int, noise: float, rng: Rng) -> Points:
    """Two arms wound around each other. Noise moves points."""
    label = _halves(rows)
    position = np.concatenate([np.arange(n) / n for n in (rows // 2, rows - rows // 2)])
    angle = 1.75 * 2 * np.pi * position + np.where(label == 1, 0.0, np.pi)
    x = 5 * position[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return x + rng.uniform(-1, 1, (rows, 2)) * noise, label


def moons(rows: int, noise: float, rng: Rng) -> Points:
    """Two interleaved half circles of radius 1. Noise is the standard deviation of the points."""
    label = _halves(rows)
    angle = np.pi * np.concatenate([np.linspace(0, 1, rows // 2), np.linspace(0, 1, rows - rows // 2)])
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(label[:, None] == 0, upper, [1.0, 0.5] - upper)
    return x + noise * rng.standard_normal((rows, 2)), label


def reg_plane(rows: int, noise: float, rng: Rng) -> Points:
    """A plane, (x1 + x2) / 10. Noise moves labels."""
    x = rng.uniform(-EDGE, EDGE, (rows, 2))
    shifted = x + rng.uniform(-EDGE, EDGE, (rows, 2)) * noise
    return x, shifted.sum(axis=1) / 10


def reg_gauss(rows: int, noise: float, rng: Rng) -> Points:
    """Six cones of alternating sign. Noise moves labels."""
    x = rng.uniform(-EDGE, EDGE, (rows, 2))
    shifted = x + rng.uniform(-EDGE, EDGE, (rows, 2)) * noise
    distance = np.linalg.norm(shifted[:, None] - GAUSSIANS[:, :2], axis=2)
    height = GAUSSIANS[:, 2] * np.clip(1 - distance / 2, 0, 1)
    return x, height[np.arange(rows), np.abs(height).argmax(axis=1)]


@dataclass(frozen=True)
class Generator:
    """A generated dataset.

    Args:
        rows: points where the user names no number.
    """

    title: str
    task: str
    rows: int
    make: Callable[[int, float, Rng], Points]


GENERATORS = {
    "circle": Generator("Circle inside a ring", "binary", 500, circle),
    "xor": Generator("Exclusive or", "binary", 500, xor),
    "gauss": Generator("Two Gaussian clouds", "binary", 500, gauss),
    "spiral": Generator("Two spirals", "binary", 500, spiral),
    "moons": Generator("Two half moons", "binary", 500, moons),
    "reg-plane": Generator("Plane (regression)", "regression", 1200, reg_plane),
    "reg-gauss": Generator("Six cones (regression)", "regression", 1200, reg_gauss),
}


def generate(key: str, *, rows: int | None = None, noise: float = 0.0, seed: int = 0) -> Table:
    """Make the points of one generated dataset.

    Args:
        key: of ``GENERATORS``.
        rows: None for the dataset's own number.
        noise: 0 to 0.5.
        seed: equal seeds give equal points.
    """
    generator = GENERATORS[key]
    # A stream of its own: the split draws from the plain seed.
    sequence = np.random.SeedSequence(seed, spawn_key=(1,))
    rng = np.random.Generator(np.random.PCG64(sequence))
    x, y = generator.make(generator.rows if rows is None else rows, noise, rng)
    return Table(
        frame=Frame(("x1", "x2"), x),
        y=y,
        task=generator.task,
        target_name="label",
        class_names=("-1", "+1") if generator.task == "binary" else (),
    )


def _halves(rows: int) -> FloatArray:
    """Label the first half 1, the rest 0."""
    return (np.arange(rows) < rows // 2).astype(np.float64)
