"""Runs by the level of a factor, the setting of the others and the seed, as arrays."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import LARGEST
from nnlab.stats.seeds import averaged, numbered

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class FactorRuns:
    """All runs as arrays, each level, setting of the others and seed a number; NaN for a diverged run.

    Shapes: levels, settings, seeds and values (runs,).
    """

    names: Sequence[Hashable]
    levels: IntArray
    settings: IntArray
    seeds: IntArray
    values: FloatArray

    @cached_property
    def finished(self) -> NDArray[np.bool_]:
        """Which runs have a value."""
        return np.isfinite(self.values)

    @cached_property
    def means(self) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """The mean of the finished runs of each seed, setting and level, sorted by these."""
        keys = [key[self.finished] for key in (self.seeds, self.settings, self.levels)]
        [seeds, settings, levels], means = averaged(self.values[self.finished], keys)
        return seeds, settings, levels, means


def read_runs(
    rows: Sequence[Mapping[str, object]], factor: str, others: Sequence[str], seed: str, metric: str
) -> FactorRuns:
    """Read rows, one mapping a run.

    Raises:
        StatsError: for a missing key, or values that are not of a kind to compare.
    """
    keys = (factor, *others, seed, metric)
    absent = next((key for key in keys if any(key not in row for row in rows)), None)
    if absent is not None:
        raise StatsError(f"expected the keys {', '.join(keys)}; got no {absent}")
    found = [row[metric] for row in rows]
    wrong = [value for value in found if value is not None and not isinstance(value, numbers.Real)]
    if wrong:
        raise StatsError(f"expected a number or None as {metric}, got {wrong[0]!r}")
    values = np.array(found, np.float64)
    values[~(np.abs(values) <= LARGEST)] = np.nan
    names, levels = _levels(rows, factor)
    settings = np.zeros(len(rows), np.int64)
    for other in others:
        settings = np.unique(joined(settings, _levels(rows, other)[1]), return_inverse=True)[1]
    return FactorRuns(names, levels, settings, _levels(rows, seed)[1], values)


def _levels(rows: Sequence[Mapping[str, object]], key: str) -> tuple[list[Hashable], IntArray]:
    """Number the levels of a column."""
    column = [row[key] for row in rows]
    try:
        names, places = numbered(column)
    except TypeError:  # lists among them
        return numbered([_hashable(level, key) for level in column])
    for level in names:
        _hashable(level, key)
    return names, places


def joined(one: IntArray, two: IntArray) -> IntArray:
    """Make one number of two that are each below 2³¹."""
    return one * 2**31 + two


def _hashable(value: object, key: str) -> Hashable:
    """Turn lists, as JSON has them, into tuples; refuse what cannot be told apart."""
    if isinstance(value, list | tuple):
        return tuple(_hashable(item, key) for item in value)
    wanted = f"expected {key} to be a number, a text, or a list of them, got {value!r}"
    if isinstance(value, float) and math.isnan(value):
        raise StatsError(wanted)
    try:
        hash(value)
    except TypeError as error:
        raise StatsError(wanted) from error
    return value


def ordered(levels: Iterable[Hashable]) -> dict[Hashable, int]:
    """Sort numbers by size and texts by letter; mixed kinds by their kind first."""

    def key(level: object) -> tuple[str, Any]:
        if isinstance(level, numbers.Real):
            return ("", level)
        if isinstance(level, tuple):
            return ("tuple", [key(item) for item in level])
        return (type(level).__name__, str(level))

    return {level: place for place, level in enumerate(sorted(levels, key=key))}
