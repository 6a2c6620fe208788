"""The effect of one factor of a sweep: a mean for each of its levels, over the same cells for all of them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import mean_interval


@dataclass(frozen=True)
class LevelEffect:
    """One level of a factor.

    Args:
        mean: over seeds; None where no seed can be compared with the other levels.
        low: lower end of the t interval over seeds; None where n < 2.
        high: upper end, likewise.
        n: seeds behind the mean.
        runs: metric of every finished run at this level, compared or not: the grey dots.
        diverged: runs at this level without a finite metric.
    """

    level: Hashable
    mean: float | None
    low: float | None
    high: float | None
    n: int
    runs: tuple[float, ...]
    diverged: int


@dataclass(frozen=True)
class FactorEffect:
    """What a factor does to a metric, the others averaged.

    Args:
        levels: in order of their value.
        balanced: every cell (a level with a setting of the others) has a finished run of every seed.
        cells: levels times settings of the others that occur.
        missing: cells without any finished run.
        compared: settings of the others that count, those with a run at every level in at least one seed.
        caption: says all this in words.
    """

    factor: str
    metric: str
    levels: tuple[LevelEffect, ...]
    balanced: bool
    cells: int
    missing: int
    compared: int
    caption: str


@dataclass(frozen=True)
class _Run:
    level: Hashable
    setting: Hashable
    seed: Hashable
    value: float | None


_Means = dict[tuple[Hashable, Hashable, Hashable], float]  # by seed, setting, level


def factor_effects(
    rows: Sequence[Mapping[str, object]], factor: str, others: Sequence[str], seed: str, metric: str
) -> FactorEffect:
    """Compare the levels of one factor over the settings of the other factors that all levels share.

    For each seed, the settings with a finished run at every level count, with equal weight; the others would
    turn a hole in the sweep into an effect. The interval is over the means of the seeds. A level at which
    every run diverged is not asked for: it is reported with n = 0, and the other levels are still compared.
    Runs that share level, setting and seed are averaged and count once.

    Args:
        rows: one mapping a run that has ended, the metric None, NaN or infinite where it diverged.
        factor: key of the factor to show.
        others: keys of the factors to average over; whatever else differs between runs must be the seed.
        seed: key of the seed.
        metric: key of the metric.

    Raises:
        StatsError: for no rows, a missing key, or values that are not of a kind to compare.
    """
    if not rows:
        raise StatsError("expected at least one run, got none")
    runs = [_run(row, factor, others, seed, metric) for row in rows]
    means = _means(runs)
    levels = _ordered({run.level for run in runs})
    finished = [level for level in levels if any(key[2] == level for key in means)]
    shared = _shared_settings(means, finished)
    effects = tuple(
        _level_effect(level, runs, means, shared if level in finished else {}) for level in levels
    )
    return _summary(factor, metric, runs, effects, means, shared)


def _run(row: Mapping[str, object], factor: str, others: Sequence[str], seed: str, metric: str) -> _Run:
    absent = [key for key in (factor, *others, seed, metric) if key not in row]
    if absent:
        raise StatsError(
            f"expected the keys {factor}, {', '.join(others)}, {seed}, {metric}; got no {absent[0]}"
        )
    value = row[metric]
    if value is not None and not isinstance(value, numbers.Real):
        raise StatsError(f"expected a number or None as {metric}, got {value!r}")
    finite = value is not None and math.isfinite(value)
    return _Run(
        level=_hashable(row[factor], factor),
        setting=tuple(_hashable(row[other], other) for other in others),
        seed=_hashable(row[seed], seed),
        value=float(value) if value is not None and finite else None,
    )


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


def _ordered(levels: Iterable[Hashable]) -> list[Hashable]:
    """Sort numbers by size and texts by letter; mixed kinds by their kind first."""

    def key(level: object) -> tuple[str, Any]:
        if isinstance(level, numbers.Real):
            return ("", level)
        if isinstance(level, tuple):
            return ("tuple", [key(item) for item in level])
        return (type(level).__name__, str(level))

    return sorted(levels, key=key)


def _means(runs: Iterable[_Run]) -> _Means:
    """Average the finished runs of each seed, setting and level."""
    values: dict[tuple[Hashable, Hashable, Hashable], list[float]] = {}
    for run in runs:
        if run.value is not None:
            values.setdefault((run.seed, run.setting, run.level), []).append(run.value)
    return {key: math.fsum(found) / len(found) for key, found in values.items()}


def _shared_settings(means: _Means, levels: Sequence[Hashable]) -> dict[Hashable, list[Hashable]]:
    """Find, for each seed, the settings with a finished run at every level."""
    shared: dict[Hashable, list[Hashable]] = {}
    for seed, setting in dict.fromkeys((seed, setting) for seed, setting, _ in means):
        if all((seed, setting, level) in means for level in levels):
            shared.setdefault(seed, []).append(setting)
    return shared


def _level_effect(
    level: Hashable, runs: Iterable[_Run], means: _Means, shared: Mapping[Hashable, Sequence[Hashable]]
) -> LevelEffect:
    here = [run.value for run in runs if run.level == level]
    finished = tuple(value for value in here if value is not None)
    diverged = len(here) - len(finished)
    by_seed = [
        math.fsum(means[seed, setting, level] for setting in settings) / len(settings)
        for seed, settings in shared.items()
    ]
    if not by_seed:
        return LevelEffect(level, None, None, None, 0, finished, diverged)
    over_seeds = mean_interval(by_seed)
    return LevelEffect(
        level, over_seeds.mean, over_seeds.low, over_seeds.high, over_seeds.n, finished, diverged
    )


def _summary(
    factor: str,
    metric: str,
    runs: Sequence[_Run],
    levels: tuple[LevelEffect, ...],
    means: _Means,
    shared: Mapping[Hashable, Sequence[Hashable]],
) -> FactorEffect:
    seeds = {run.seed for run in runs}
    settings = {run.setting for run in runs}
    compared = {setting for found in shared.values() for setting in found}
    cells = len(levels) * len(settings)
    missing = cells - len({(setting, level) for _, setting, level in means})
    balanced = len(means) == cells * len(seeds)
    if balanced:
        caption = f"balanced: {_counted(cells, 'cell')} × {_counted(len(seeds), 'seed')}"
    elif missing:
        caption = f"unbalanced: {missing} of {_counted(cells, 'cell')} missing"
    else:
        caption = f"unbalanced: {cells * len(seeds) - len(means)} of {cells * len(seeds)} runs missing"
    if not compared:
        caption += "; no setting of the other factors was run at every level, so there are no means"
    elif len(compared) < len(settings):
        caption += f"; means over {len(compared)} of {_counted(len(settings), 'setting')}"
    diverged = sum(level.diverged for level in levels)
    if diverged:
        caption += f"; {diverged} of {_counted(len(runs), 'run')} diverged, not in the means"
    return FactorEffect(factor, metric, levels, balanced, cells, missing, len(compared), caption)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
