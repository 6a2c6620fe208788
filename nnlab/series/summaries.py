"""How a series stands: its end and its extremes, kept up while it grows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlab.series.batch import FloatArray, IntArray


@dataclass(frozen=True)
class Summary:
    """How a series stands.

    Args:
        points: of the series.
        first_step: of its first point; None without points.
        last_step: of its last point.
        last: its value; None where that is not finite.
        minimum: least finite value; None where there is none.
        minimum_step: where it stands first.
        maximum: greatest finite value; None where there is none.
        maximum_step: where it stands first.
        nonfinite: points that are not finite.
    """

    points: int = 0
    first_step: int | None = None
    last_step: int | None = None
    last: float | None = None
    minimum: float | None = None
    minimum_step: int | None = None
    maximum: float | None = None
    maximum_step: int | None = None
    nonfinite: int = 0

    def extended(self, steps: IntArray, values: FloatArray) -> Summary:
        """Add points in the order of their steps, which may lie before points that are counted already."""
        if not len(steps):
            return self
        finite = np.isfinite(values)
        good_steps, good = (steps, values) if finite.all() else (steps[finite], values[finite])
        first, last = int(steps[0]), int(steps[-1])
        is_later = self.last_step is None or last >= self.last_step
        end = float(values[-1])
        low = _extreme(good_steps, good, np.argmin, self.minimum, self.minimum_step)
        high = _extreme(good_steps, good, np.argmax, self.maximum, self.maximum_step)
        return Summary(
            self.points + len(steps),
            first if self.first_step is None else min(first, self.first_step),
            last if is_later else self.last_step,
            (end if math.isfinite(end) else None) if is_later else self.last,
            *low,
            *high,
            self.nonfinite + len(steps) - len(good),
        )


def _extreme(
    steps: IntArray,
    values: FloatArray,
    place: Callable[[FloatArray], np.intp],
    known: float | None,
    known_step: int | None,
) -> tuple[float | None, int | None]:
    """Choose between a known extreme and that of new points; where they are equal, the earlier step."""
    if not len(values):
        return known, known_step
    at = int(place(values))
    value, step = float(values[at]), int(steps[at])
    if known is None or known_step is None:
        return value, step
    better = min if place is np.argmin else max
    if value == known:
        return known, min(step, known_step)
    return (value, step) if better(value, known) == value else (known, known_step)
