"""How runs went, told by their validation metric and by comparison with other runs; no detector is asked."""

from __future__ import annotations

from math import isnan
from statistics import mean, median, stdev
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import mannwhitneyu

from nnlab.engine.config import TrainingConfig
from nnlab.engine.network import Network
from tests.benchmarks.health.datasets import problem_of
from tests.benchmarks.health.mechanisms import silent_layers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nnlab.engine.records import Records
    from tests.benchmarks.health.training import Run

SICK, MID, HEALTHY = "sick", "mid", "healthy"
POINTS = 0.05
STATISTICS = ("best", "late")
WORST = {"val_accuracy": 0.0, "val_r2": -1.0}


def series(records: Records, metric: str) -> list[float]:
    """Give a metric of all evaluations after the first step; what is no number counts as the worst."""
    worst = WORST[metric]
    found = [one.metrics.get(metric, worst) for one in records.evaluations if one.step > 0]
    return [worst if isnan(value) else max(value, worst) for value in found]


def scores(records: Records, metric: str) -> dict[str, float]:
    """Give the best value of a run, and the median of its last tenth; a run that diverged has no late one."""
    values = series(records, metric)
    if not values:
        return {"best": WORST[metric], "late": WORST[metric]}
    late = median(values[-max(1, len(values) // 10) :])
    return {"best": max(values), "late": WORST[metric] if records.nonfinite else late}


def by_bounds(value: float, sick_below: float, healthy_from: float) -> str:
    """Compare a score with fixed bounds."""
    if not value >= sick_below:
        return SICK
    return HEALTHY if value >= healthy_from else MID


def bounds_from(reference: Sequence[float], baseline: float) -> tuple[float, float]:
    """Give what is sick and what is healthy, of the scores of runs known to be good and of the baseline."""
    good = median(reference)
    return (baseline + good) / 2, good - POINTS


def is_worse(faulted: Sequence[float], parent: Sequence[float]) -> bool:
    """Say whether a fault has harmed: p < .05 of Mann-Whitney on one side, d >= .5, 5 points.

    Source: the outcome rule of DeepCrime, and the least difference that is worth a change.
    """
    gap = mean(parent) - mean(faulted)
    if not gap >= POINTS:
        return False
    spread = np.sqrt((_variance(parent) + _variance(faulted)) / 2)
    large = spread == 0 or gap / spread >= 0.5
    return bool(large and mannwhitneyu(parent, faulted, alternative="greater").pvalue < 0.05)


def is_improved(before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]]) -> bool:
    """Say whether later runs are better than those before, by their best scores or by their late ones.

    The best of many epochs hides runs that do not stay where they were.
    """
    if not before or not after:
        return False
    return any(is_worse([one[name] for one in before], [one[name] for one in after]) for name in STATISTICS)


def _variance(values: Sequence[float]) -> float:
    return stdev(values) ** 2 if len(values) > 1 else 0.0


def has_silent_layer(run: Run) -> bool:
    """Say whether a hidden ReLU layer is 0 for all training rows with the initial weights."""
    config = TrainingConfig.from_dict(run.case.training | {"seed": run.seed})
    problem = problem_of(run.case.data)
    return bool(silent_layers(Network(config, problem.x_train.shape[1], problem.outputs), problem))
