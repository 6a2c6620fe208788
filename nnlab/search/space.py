"""The space of a search: axes that turn shares of themselves into values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from nnlab.search.errors import SearchError

DIGITS = 4  # significant ones of a value: people read them, and no network tells more apart

Point: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Args:
        log: every factor counts alike, such as 0.001 .. 0.01 as much as 0.01 .. 0.1.
        whole: whole numbers only.
        step: only ``low``, ``low + step``, ...; None for all.

    Raises:
        SearchError: for bounds that are not in order, a logarithm of what is not above 0, a step beside a
            logarithm or a step that does not fit.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise SearchError(f"expected low below high, got {self.low:g} and {self.high:g}")
        if not math.isfinite(self.high - self.low):
            raise SearchError(f"expected finite bounds, got {self.low:g} and {self.high:g}")
        if self.log and not self.low > 0:
            raise SearchError(f"expected low above 0 on a logarithmic range, got {self.low:g}")
        if self.whole and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise SearchError(f"expected whole bounds, got {self.low:g} and {self.high:g}")
        if self.step is not None:
            self._check_step(self.step)

    def _check_step(self, step: float) -> None:
        if self.log:
            raise SearchError("expected a step or a logarithmic range, got both; leave one out")
        if not 0 < step <= self.high - self.low:
            raise SearchError(f"expected a step above 0 and at most {self.high - self.low:g}, got {step:g}")
        if self.whole and not float(step).is_integer():
            raise SearchError(f"expected a whole step between whole numbers, got {step:g}")

    @cached_property
    def count(self) -> int | None:
        """How many values there are; None where they are not counted."""
        if self.step is not None:
            return int((self.high - self.low) / self.step + 1e-9) + 1
        return int(self.high - self.low) + 1 if self.whole else None

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values between which all others lie."""
        return (self.at(0.0), self.at(1.0))

    def at(self, share: float) -> float | int:
        """Return the value that a share of the range, 0 to 1, lies below; the measure is uniform."""
        if self.count is not None and not self.log:
            place = min(int(share * self.count), self.count - 1)
            return self.fitting(self.low + place * (self.step or 1))
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        if not self.log:
            return self.fitting(low + share * (high - low))
        return self.fitting(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))

    def fitting(self, value: float) -> float | int:
        """Round a value of the range as people read it."""
        if self.whole:
            return int(min(max(round(value), self.low), self.high))
        digits = DIGITS if self.step is None else 12
        return min(max(float(f"{value:.{digits}g}"), float(self.low)), float(self.high))


@dataclass(frozen=True)
class Choices:
    """A few values without an order.

    Raises:
        SearchError: for none.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SearchError("expected at least one choice, got none")

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.values)

    @property
    def ends(self) -> tuple[Any, ...]:
        """All values: none lies between others."""
        return self.values

    def at(self, share: float) -> Any:
        """Return the value of a share, 0 to 1, of the choices."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


Axis: TypeAlias = Range | Choices


@dataclass(frozen=True)
class Space:
    """Axes by name.

    Raises:
        SearchError: for no axis at all.
    """

    axes: Mapping[str, Axis]

    def __post_init__(self) -> None:
        if not self.axes:
            raise SearchError("expected at least one axis to search along, got none")

    @property
    def count(self) -> int | None:
        """How many points there are; None where an axis is not counted."""
        counts = [axis.count for axis in self.axes.values()]
        return math.prod(count for count in counts if count) if None not in counts else None

    def at(self, shares: Sequence[float]) -> Point:
        """Return the point at a share, 0 to 1, of each axis."""
        return {name: axis.at(share) for (name, axis), share in zip(self.axes.items(), shares, strict=True)}

    def edges(self) -> list[Point]:
        """Return points that reach every end of every axis: what is wrong with a space shows there.

        Each axis goes through its ends while the others stand at one of theirs.
        """
        first = {name: axis.ends[0] for name, axis in self.axes.items()}
        last = {name: axis.ends[-1] for name, axis in self.axes.items()}
        return [
            {**others, name: value}
            for others in (first, last)
            for name, axis in self.axes.items()
            for value in axis.ends
        ]


def key_of(point: Point) -> str:
    """Name a point: equal points have equal names."""
    return json.dumps(point, sort_keys=True)
