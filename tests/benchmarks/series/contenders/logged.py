"""What a contender logs, as Python has it in a training loop: rows of floats, ready before the clock."""

from __future__ import annotations

from importlib.metadata import version
from math import isnan
from typing import TYPE_CHECKING, Any

from tests.benchmarks.series.network import NAMES, marked_loss, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SOURCE_STEPS = 100_000


def rows(steps: int, keys: int) -> list[dict[str, float]]:
    """Give each step's values of the first ``keys`` series; after the last step the first comes again."""
    found = values(SOURCE_STEPS)[:keys, :steps].T.tolist()
    dicts = [dict(zip(NAMES[:keys], row, strict=True)) for row in found]
    return (dicts * (1 + steps // len(dicts)))[:steps]


def loss(steps: int) -> list[float]:
    """Give the loss with spike and NaN, as far as they lie in it."""
    return [float(value) for value in marked_loss(steps)]


def summary_of(read: Sequence[float | None]) -> dict[str, Any]:
    """Say what a reader found: how many points, the largest, and how many are NaN."""
    finite = [value for value in read if value is not None and not isnan(value)]
    return {
        "points": len(read),
        "maximum": max(finite, default=None),
        "nans": len(read) - len(finite),
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """Name the versions of what is installed."""
    return {name: version(name) for name in names}
