"""What detectors are worth: their alarms set against the outcomes of the runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.alarms import Alarm, first_that_stays, highest, named
from tests.benchmarks.health.intervals import clustered
from tests.benchmarks.health.outcomes import HEALTHY, SICK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Checks that need no training.
STATIC = {"born_dead", "unscaled_data", "linear_collapse", "symmetry", "output_mismatch"}


@dataclass(frozen=True)
class Judged:
    """A run with its outcome and what one detector said of it.

    Args:
        problem: what is wrong with the configuration, in the words of its source.
        accepts: rules that name the cause rightly.
        steps: the run's budget.
        epoch_steps: steps of an epoch.
    """

    case: str
    suite: str
    seed: int
    outcome: str
    problem: str
    accepts: tuple[str, ...]
    steps: int
    epoch_steps: float
    alarms: tuple[Alarm, ...] = field(default=())

    @property
    def is_detected(self) -> bool:
        """Whether an alarm is open at the end."""
        return first_that_stays(self.alarms) is not None


def summary(runs: Sequence[Judged]) -> dict[str, Any]:
    """Give recall, precision, false alarms and F1 with intervals, and the times to detect."""
    sick = np.array([run.outcome == SICK for run in runs], np.bool_)
    healthy = np.array([run.outcome == HEALTHY for run in runs], np.bool_)
    said = np.array([run.is_detected for run in runs], np.bool_)
    groups = [run.case for run in runs]

    def recall(rows: NDArray[np.int64]) -> float:
        return _share(said[rows] & sick[rows], sick[rows])

    def false_alarms(rows: NDArray[np.int64]) -> float:
        return _share(said[rows] & healthy[rows], healthy[rows])

    def precision(rows: NDArray[np.int64]) -> float:
        return _share(said[rows] & sick[rows], said[rows] & (sick[rows] | healthy[rows]))

    def f1(rows: NDArray[np.int64]) -> float:
        wrong = np.count_nonzero(said[rows] & healthy[rows]) + np.count_nonzero(~said[rows] & sick[rows])
        right = np.count_nonzero(said[rows] & sick[rows])
        return 2 * right / (2 * right + wrong) if right + wrong else float("nan")

    figures = {"recall": recall, "false_alarms": false_alarms, "precision": precision, "f1": f1}
    return {
        **{name: clustered(groups, figure) for name, figure in figures.items()},
        "sick": int(sick.sum()),
        "mid": int((~sick & ~healthy).sum()),
        "healthy": int(healthy.sum()),
        "detected": int((said & sick).sum()),
        "alarmed": int((said & healthy).sum()),
        "cause": _causes([run for run in runs if run.outcome == SICK]),
        **times([run for run in runs if run.outcome == SICK]),
    }


def _causes(sick: Sequence[Judged]) -> float | None:
    """Share of the sick runs whose cause is named: by our highest alarm, or by any of a peer's."""
    known = [run for run in sick if run.accepts]
    right = [_highest_rule(run) in run.accepts or bool(named(run.alarms) & set(run.accepts)) for run in known]
    return sum(right) / len(right) if right else None


def _share(hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    count = np.count_nonzero(of)
    return np.count_nonzero(hits) / count if count else float("nan")


def times(runs: Sequence[Judged]) -> dict[str, Any]:
    """Give the median time of the first alarm that stays: share of the budget, epoch, and step."""
    found = [(run, first_that_stays(run.alarms)) for run in runs]
    steps = [(run, alarm.step) for run, alarm in found if alarm is not None]
    return {
        "median_share": median(step / run.steps for run, step in steps) if steps else None,
        "median_epoch": median(-(-max(step, 1) // run.epoch_steps) for run, step in steps) if steps else None,
        "median_step": median(step for _, step in steps) if steps else None,
    }


def details(runs: Sequence[Judged]) -> dict[str, Any]:
    """Give what only our alerts have: the cause named, flaps, alerts of healthy runs, passing alarms."""
    detected = [run for run in runs if run.outcome == SICK and run.is_detected]
    causes = [run for run in detected if run.accepts]
    right = [run for run in causes if _highest_rule(run) in run.accepts]
    healthy = [run for run in runs if run.outcome == HEALTHY]
    return {
        "static": static(runs),
        "cause_right": [len(right), len(causes)],
        "flaps_per_run": _mean([sum(alarm.reopened for alarm in run.alarms) for run in runs]),
        "alerts_per_healthy_run": _mean([sum(alarm.warned for alarm in run.alarms) for run in healthy]),
        "passing_alarms": [_passing(run) for run in healthy].count(True),
        "problems": {problem: _of_problem([run for run in runs if run.problem == problem])
                     for problem in dict.fromkeys(run.problem for run in runs if run.outcome == SICK)},
        "misses": [f"{run.case} seed {run.seed}" for run in runs
                   if run.outcome == SICK and not run.is_detected],
        "false": [f"{run.case} seed {run.seed}: {_highest_rule(run)}" for run in healthy if run.is_detected],
        "wrong_cause": [f"{run.case} seed {run.seed}: {_highest_rule(run)}" for run in causes
                        if run not in right],
    }  # fmt: skip


def static(runs: Sequence[Judged]) -> dict[str, list[int]]:
    """Count what is known before the first step: faults that are told then, and alarms that are right.

    An alarm is right where its check names what was put in, even if the run then goes well.
    """
    told = [(run, {alarm.rule for alarm in run.alarms if alarm.warned and alarm.step <= 1}) for run in runs]
    known = [
        (set(run.accepts[:1]), rules)
        for run, rules in told
        if set(run.accepts[:1]) & STATIC and run.outcome == SICK
    ]
    alarms = [(run, rule) for run, rules in told for rule in rules & STATIC]
    return {
        "recall": [sum(bool(wanted & rules) for wanted, rules in known), len(known)],
        "precision": [sum(rule in run.accepts for run, rule in alarms), len(alarms)],
    }


def _of_problem(runs: Sequence[Judged]) -> dict[str, Any]:
    sick = [run for run in runs if run.outcome == SICK]
    rules = [_highest_rule(run) for run in sick if run.is_detected]
    return {
        "sick": len(sick),
        "detected": len(rules),
        "rules": {rule: rules.count(rule) for rule in sorted(set(rules))},
        **times(sick),
    }


def _passing(run: Judged) -> bool:
    return any(alarm.warned for alarm in run.alarms) and not run.is_detected


def _highest_rule(run: Judged) -> str:
    found = highest(run.alarms)
    return "" if found is None else found.rule


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
