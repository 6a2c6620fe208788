"""What was varied among runs: their knobs as numbers, and the values of each configuration."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnlab.stats.errors import StatsError
from nnlab.stats.forest import Knobs

FloatArray = NDArray[np.float64]
MAX_LEVELS = 24  # of a number; a random search has more


@dataclass(frozen=True)
class Design:
    """Runs as configurations with a value for each seed.

    Args:
        names: of the knobs; those that always change together share one, joined by "with".
        values: of each configuration, sorted; the configurations are in the order of their codes.
        runs: runs that count, diverged ones included.
        together: the knobs that share a name.
    """

    names: tuple[str, ...]
    knobs: Knobs
    values: tuple[FloatArray, ...]
    runs: int
    diverged: int
    together: tuple[tuple[str, ...], ...]

    @property
    def spread(self) -> float:
        """The variance of single values."""
        return float(np.concatenate(self.values).var())

    @property
    def is_full(self) -> bool:
        """Whether every combination of levels was run, and no two configurations share one."""
        cells = set(map(tuple, self.knobs.codes.tolist()))
        return len(cells) == len(self.values) == math.prod(self.knobs.levels)


def read_design(
    rows: Sequence[Mapping[str, object]], knobs: Sequence[str], seed: str, metric: str, *, higher: bool
) -> Design:
    """Read runs. Where any diverged, ranks stand for values, the diverged ones sharing the worst.

    Nothing depends on the order of the runs, nor on what the levels of a knob without an order are called.

    Raises:
        StatsError: for no runs, or a missing key.
    """
    if not rows:
        raise StatsError("no run has ended yet, so there is nothing to explain")
    absent = [key for key in (*knobs, seed, metric) if any(key not in row for row in rows)]
    if absent:
        raise StatsError(f"expected every run to have {absent[0]}, got one without")
    values, diverged = _values([row[metric] for row in rows], higher=higher)
    columns = {knob: [_level(row[knob]) for row in rows] for knob in knobs}
    varied = {knob: column for knob, column in columns.items() if len(set(column)) > 1}
    bundles = _bundles(varied)
    coded = [_codes(varied[bundle[0]], values) for bundle in bundles]
    codes = list(zip(*(codes for codes, _ in coded), strict=True)) if coded else [()] * len(rows)
    found = _configurations(codes, list(zip(*varied.values(), strict=True)) or codes, rows, seed, values)
    return Design(
        names=tuple(" with ".join(bundle) for bundle in bundles),
        knobs=Knobs(
            np.array([code for code, _ in found], np.int64).reshape(len(found), len(bundles)),
            tuple(max(codes) + 1 for codes, _ in coded),
            tuple(ordered for _, ordered in coded),
        ),
        values=tuple(np.array(values) for _, values in found),
        runs=len(rows),
        diverged=diverged,
        together=tuple(bundle for bundle in bundles if len(bundle) > 1),
    )


def _configurations(
    codes: Sequence[tuple[int, ...]],
    settings: Sequence[tuple[Hashable, ...]],
    rows: Sequence[Mapping[str, object]],
    seed: str,
    values: FloatArray,
) -> list[tuple[tuple[int, ...], list[float]]]:
    """Gather the values of each configuration, those of one seed averaged."""
    found: dict[tuple[Hashable, ...], dict[Hashable, list[float]]] = {}
    for setting, row, value in zip(settings, rows, values.tolist(), strict=True):
        found.setdefault(setting, {}).setdefault(_level(row[seed]), []).append(value)
    code_of = dict(zip(settings, codes, strict=True))
    return sorted(
        (code_of[setting], sorted(math.fsum(sorted(one)) / len(one) for one in by_seed.values()))
        for setting, by_seed in found.items()
    )


def _values(found: Sequence[object], *, higher: bool) -> tuple[FloatArray, int]:
    wrong = [value for value in found if value is not None and not isinstance(value, numbers.Real)]
    if wrong:
        raise StatsError(f"expected numbers or None as values, got {wrong[0]!r}")
    values = np.array([math.nan if value is None else value for value in found], np.float64)
    finite = np.isfinite(values)
    if finite.all():  # near 1, so that squares of huge and tiny values are numbers; shares have no unit
        return values / math.ldexp(1.0, math.frexp(np.abs(values).max())[1] - 1), 0
    worst_last = np.where(finite, -values if higher else values, math.inf)
    return _ranks(worst_last), int((~finite).sum())


def _ranks(values: FloatArray) -> FloatArray:
    """Rank from 1, equal values sharing the mean of their places: scipy.stats takes a second to import."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[at], np.float64)


def _level(value: object) -> Hashable:
    """Make a level that can be told apart: lists become tuples, and anything odd its text."""
    if isinstance(value, list | tuple):
        return tuple(_level(item) for item in value)
    return value if isinstance(value, str | int | float | None) else repr(value)


def _bundles(columns: Mapping[str, Sequence[Hashable]]) -> list[tuple[str, ...]]:
    """Put knobs into one bundle whose levels determine each other.

    Where every configuration has a level of its own, as in a random search, that says nothing; there the
    levels have to rise or fall together.
    """
    configurations = len(set(zip(*columns.values(), strict=True)))
    bundles: dict[object, list[str]] = {}
    for knob, column in columns.items():
        places = {level: place for place, level in enumerate(dict.fromkeys(column))}
        if len(places) == configurations and _is_ordered(column):
            ranks = np.unique(np.array(column, np.float64), return_inverse=True)[1]
            same: object = ("ordered", *(ranks if ranks[0] <= ranks[-1] else ranks.max() - ranks).tolist())
        else:
            same = tuple(places[level] for level in column)
        bundles.setdefault(same, []).append(knob)
    return [tuple(bundle) for bundle in bundles.values()]


def _is_ordered(column: Sequence[Hashable]) -> bool:
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in column)


def _codes(column: Sequence[Hashable], values: FloatArray) -> tuple[list[int], bool]:
    """Number the levels: numbers by size, others by the values that they got, whatever their names."""
    if _is_ordered(column):
        levels, at = np.unique(np.array(column, np.float64), return_inverse=True)
        if len(levels) > MAX_LEVELS:  # neighbours share a level, as many runs in each
            places = np.cumsum(np.bincount(at))[at] - 1
            at = np.unique(places * MAX_LEVELS // len(column), return_inverse=True)[1]
        return at.tolist(), True
    got: dict[Hashable, list[float]] = {}
    for level, value in zip(column, values.tolist(), strict=True):
        got.setdefault(level, []).append(value)
    place = {
        level: code for code, level in enumerate(sorted(got, key=lambda one: (sorted(got[one]), repr(one))))
    }
    return [place[level] for level in column], False
