"""The effect of one factor of a sweep: a mean for each of its levels, over the same cells for all of them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnlab.stats.cells import FactorRuns, joined, ordered, read_runs
from nnlab.stats.differences import Difference, difference
from nnlab.stats.errors import StatsError
from nnlab.stats.intervals import mean_interval
from nnlab.stats.seeds import averaged


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

    @property
    def plain(self) -> float | None:
        """The mean of all its finished runs, whatever else they had."""
        return math.fsum(self.runs) / len(self.runs) if self.runs else None


@dataclass(frozen=True)
class Confounded:
    """Two levels whose plain means tell something else than the comparison over the same cells does.

    Args:
        low: the level with the least plain mean.
        high: the level with the greatest.
        plain: how far apart those means are.
        matched: the difference of ``high`` to ``low`` over the cells that all levels share, seed by seed.
    """

    low: Hashable
    high: Hashable
    plain: float
    matched: Difference


@dataclass(frozen=True)
class FactorEffect:
    """What a factor does to a metric, the others averaged.

    Args:
        levels: in order of their value.
        balanced: every cell (a level with a setting of the others) has a finished run of every seed.
        cells: levels times settings of the others that occur.
        missing: cells without any finished run.
        compared: settings of the others that count, those with a run at every level in at least one seed.
        counted: finished runs that the means are of.
        confounded: where plain means of all runs tell something else than these means do; None elsewhere.
        caption: says how even the design is and what counts, in words.
    """

    factor: str
    metric: str
    levels: tuple[LevelEffect, ...]
    balanced: bool
    cells: int
    missing: int
    compared: int
    counted: int
    confounded: Confounded | None
    caption: str


def factor_effects(
    rows: Sequence[Mapping[str, object]], factor: str, others: Sequence[str], seed: str, metric: str
) -> FactorEffect:
    """Compare the levels of one factor over the settings of the other factors that all levels share.

    For each seed, the settings with a finished run at every level count, with equal weight; the others would
    turn a hole in the sweep into an effect. The interval is over the means of the seeds. A level at which
    every run diverged is not asked for: it is reported with n = 0, and the other levels are still compared.
    Runs that share level, setting and seed are averaged and count once.

    Where the plain means of all runs say something else, as in Simpson's paradox, ``confounded`` tells of it:
    the levels with the least and the greatest of them are then compared over the shared cells, and the plain
    difference lies outside the 95 % interval of that (or, with one seed, on the other side of 0).

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
    runs = read_runs(rows, factor, others, seed, metric)
    shared = _shared(runs)
    seeds, settings, levels = (key[shared] for key in runs.means[:3])
    [of_level, of_seed], by_seed = averaged(runs.means[3][shared], [levels, seeds])
    over_seeds = {
        place: dict(
            zip(of_seed[of_level == place].tolist(), by_seed[of_level == place].tolist(), strict=True)
        )
        for place in range(len(runs.names))
    }
    effects = [
        _level_effect(runs, place, list(over_seeds[place].values())) for place in range(len(runs.names))
    ]
    order = ordered(runs.names)
    in_order = tuple(sorted(effects, key=lambda one: order[one.level]))
    compared = len(np.unique(settings))
    cells = np.unique(joined(seeds, settings))
    counted = np.isin(joined(runs.seeds, runs.settings), cells) & runs.finished
    uneven = len(cells) < compared * len(np.unique(seeds))
    return _summary(
        (factor, metric),
        runs,
        in_order,
        compared,
        int(counted.sum()),
        _confounded(effects, over_seeds),
        uneven,
    )


def _shared(runs: FactorRuns) -> NDArray[np.bool_]:
    """Say which means belong to a seed and setting with a finished run at every level that ever finished."""
    seeds, settings, levels, _ = runs.means
    _, place, counts = np.unique(joined(seeds, settings), return_inverse=True, return_counts=True)
    return np.asarray(counts[place] == len(np.unique(levels)))


def _level_effect(runs: FactorRuns, place: int, by_seed: Sequence[float]) -> LevelEffect:
    here = runs.levels == place
    finished = tuple(runs.values[here & runs.finished].tolist())
    diverged = int(here.sum()) - len(finished)
    level = runs.names[place]
    if not by_seed:
        return LevelEffect(level, None, None, None, 0, finished, diverged)
    found = mean_interval(by_seed)
    return LevelEffect(level, found.mean, found.low, found.high, found.n, finished, diverged)


def _confounded(
    effects: Sequence[LevelEffect], over_seeds: Mapping[int, Mapping[int, float]]
) -> Confounded | None:
    """Compare the two levels that plain means set furthest apart; None where both readings agree."""
    plain = {place: one.plain for place, one in enumerate(effects) if one.plain is not None and one.n}
    if len(plain) < 2:
        return None
    low, high = min(plain, key=plain.__getitem__), max(plain, key=plain.__getitem__)
    apart = plain[high] - plain[low]
    matched = difference(over_seeds[low], over_seeds[high])
    rounding = 1e-9 * max(abs(plain[high]), abs(plain[low]))
    if matched.low is None or matched.high is None:
        agrees = apart <= rounding or matched.mean > 0
    else:
        agrees = matched.low - rounding <= apart <= matched.high + rounding
    return None if agrees else Confounded(effects[low].level, effects[high].level, apart, matched)


def _summary(
    names: tuple[str, str],
    runs: FactorRuns,
    levels: tuple[LevelEffect, ...],
    compared: int,
    counted: int,
    confounded: Confounded | None,
    uneven: bool,
) -> FactorEffect:
    _, settings, at, means = runs.means
    every, tried = len(np.unique(runs.settings)), len(np.unique(runs.seeds))
    cells = len(levels) * every
    missing = cells - len(np.unique(joined(settings, at)))
    balanced = len(means) == cells * tried
    if balanced:
        caption = f"balanced: {_counted(cells, 'cell')} × {_counted(tried, 'seed')}"
    elif missing:
        caption = f"unbalanced: {missing:,} of {_counted(cells, 'cell')} missing"
    else:
        caption = f"unbalanced: {cells * tried - len(means):,} of {cells * tried:,} runs missing"
    if not compared:
        caption += "; no setting of the other factors was run at every level, so there are no means"
    elif counted < runs.finished.sum():
        caption += f"; means over {compared:,} of {_counted(every, 'setting')} of the others, "
        caption += f"{counted:,} of {runs.finished.sum():,} finished runs"
    if uneven:
        caption += "; not every seed has all of these settings"
    diverged = sum(level.diverged for level in levels)
    if diverged:
        caption += f"; {diverged:,} of {_counted(len(runs.values), 'run')} diverged, not in the means"
    return FactorEffect(*names, levels, balanced, cells, missing, compared, counted, confounded, caption)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
