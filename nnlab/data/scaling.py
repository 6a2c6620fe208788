"""Steps that bring numbers into a small range, one column at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nnlab.data.errors import DataError
from nnlab.data.steps import ColumnStep, Numbers

if TYPE_CHECKING:
    from nnlab.data.frames import FloatArray


@dataclass(frozen=True)
class ZScore(ColumnStep):
    """(x - mean) / sd, with the population's standard deviation."""

    kind: ClassVar[str] = "z-score"

    def fit_column(self, name: str, cells: FloatArray) -> Numbers:
        """Learn mean and standard deviation."""
        _refuse_constant(name, cells)
        mean, sd = float(cells.mean()), float(cells.std())
        _refuse_overflow(name, sd)
        return mean, sd

    def transform(self, cells: FloatArray, found: Numbers) -> FloatArray:
        """Centre and scale."""
        mean, sd = found
        return (cells - mean) / sd

    def inverse(self, cells: FloatArray, found: Numbers) -> FloatArray:
        """Undo ``transform``."""
        mean, sd = found
        return cells * sd + mean


@dataclass(frozen=True)
class MinMax(ColumnStep):
    """The training range onto [low, high], a straight line also beyond it."""

    kind: ClassVar[str] = "min-max"
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise DataError("recipe", f"expected low < high for min-max, got {self.low:g} and {self.high:g}")

    def fit_column(self, name: str, cells: FloatArray) -> Numbers:
        """Learn the least and the greatest value."""
        _refuse_constant(name, cells)
        least, greatest = float(cells.min()), float(cells.max())
        _refuse_overflow(name, greatest - least)
        return least, greatest

    def transform(self, cells: FloatArray, found: Numbers) -> FloatArray:
        """Map least to low and greatest to high."""
        least, greatest = found
        return self.low + (self.high - self.low) * (cells - least) / (greatest - least)

    def inverse(self, cells: FloatArray, found: Numbers) -> FloatArray:
        """Undo ``transform``."""
        least, greatest = found
        return least + (greatest - least) * (cells - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Log(ColumnStep):
    """sign(x) log(1 + |x|): log1p for x >= 0, mirrored for negative numbers."""

    kind: ClassVar[str] = "log"

    def transform(self, cells: FloatArray, _found: Numbers) -> FloatArray:
        """Take the signed logarithm."""
        return np.copysign(np.log1p(np.abs(cells)), cells)

    def inverse(self, cells: FloatArray, _found: Numbers) -> FloatArray:
        """Undo ``transform``."""
        return np.copysign(np.expm1(np.abs(cells)), cells)


@dataclass(frozen=True)
class Clip(ColumnStep):
    """min(max(x, low), high).

    Args:
        low: a value, or a percentile of the training rows where ``percentiles`` is set.
        high: likewise; more than ``low``.
    """

    kind: ClassVar[str] = "clip"
    low: float = 1.0
    high: float = 99.0
    percentiles: bool = True

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise DataError("recipe", f"expected low < high for clip, got {self.low:g} and {self.high:g}")
        if self.percentiles and not 0 <= self.low < self.high <= 100:
            raise DataError(
                "recipe", f"expected percentiles from 0 to 100, got {self.low:g} and {self.high:g}"
            )

    def fit_column(self, _name: str, cells: FloatArray) -> Numbers:
        """Learn the limits from the percentiles, or take those typed."""
        if not self.percentiles:
            return self.low, self.high
        low, high = np.percentile(cells, [self.low, self.high])
        return float(low), float(high)

    def transform(self, cells: FloatArray, found: Numbers) -> FloatArray:
        """Cap at both limits."""
        low, high = found
        return np.clip(cells, low, high)


@dataclass(frozen=True)
class Divide(ColumnStep):
    """x / by, for columns whose range is known beforehand (pixels)."""

    kind: ClassVar[str] = "divide"
    by: float = 1.0

    def __post_init__(self) -> None:
        if not self.by or not math.isfinite(self.by):
            raise DataError("recipe", f"expected a finite divisor other than 0, got {self.by:g}")

    def transform(self, cells: FloatArray, _found: Numbers) -> FloatArray:
        """Divide."""
        return cells / self.by

    def inverse(self, cells: FloatArray, _found: Numbers) -> FloatArray:
        """Undo ``transform``."""
        return cells * self.by


def _refuse_constant(name: str, cells: FloatArray) -> None:
    """Judge by the range: rounding can give a constant column a tiny standard deviation."""
    if not cells.min() < cells.max():
        raise DataError(
            "recipe",
            f"column {name!r} is constant in the training rows ({cells[0]:g}) and cannot be scaled; "
            "leave the column out or choose a recipe that does not scale it, such as 'raw'",
        )


def _refuse_overflow(name: str, spread: float) -> None:
    """Dividing by a spread that overflowed would make every cell 0, by one that underflowed infinite."""
    if not 0 < spread < math.inf:
        raise DataError(
            "recipe", f"column {name!r} holds numbers too large or too small to scale; use another unit"
        )
