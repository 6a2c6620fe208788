"""What detectors are worth: their alarms set against the outcomes of the runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, inf
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.alarms import KINDS, SAME, Alarm, first_that_stays, highest, named
from tests.benchmarks.health.intervals import clustered, share
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
        kind: what is wrong with the run, of ``alarms.KINDS``; empty where nothing tells.
        layers: hidden layers that are sick, counted from 0.
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
    kind: str = ""
    layers: tuple[int, ...] = ()

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

    def f1(rows: NDArray[np.int64]) -> float:
        wrong = np.count_nonzero(said[rows] & healthy[rows]) + np.count_nonzero(~said[rows] & sick[rows])
        right = np.count_nonzero(said[rows] & sick[rows])
        return 2 * right / (2 * right + wrong) if right + wrong else float("nan")

    return {
        "recall": share(groups, said, sick),
        "false_alarms": share(groups, said, healthy),
        "precision": share(groups, sick, said & (sick | healthy)),
        "f1": clustered(groups, f1),
        **by_kind(runs),
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


def times(runs: Sequence[Judged]) -> dict[str, Any]:
    """Give the median time of the first alarm that stays: share of the budget, epoch, and step.

    A run that is missed has none, which is later than any; None where half of them or more are missed.
    """
    found = [(run, first_that_stays(run.alarms)) for run in runs]
    steps = [(run, inf if alarm is None else alarm.step) for run, alarm in found]
    return {
        "median_share": _median([step / run.steps for run, step in steps]),
        "median_epoch": _median(
            [ceil(max(step, 1) / run.epoch_steps) if step < inf else inf for run, step in steps]
        ),
        "median_step": _median([step for _, step in steps]),
    }


def _median(values: Sequence[float]) -> float | None:
    found = median(values) if values else inf
    return found if found < inf else None


def details(runs: Sequence[Judged]) -> dict[str, Any]:
    """Give what only our alerts have: the cause named, flaps, alerts of healthy runs, passing alarms."""
    detected = [run for run in runs if run.outcome == SICK and run.is_detected]
    causes = [run for run in detected if run.accepts]
    right = [run for run in causes if is_cause_right(run)]
    healthy = [run for run in runs if run.outcome == HEALTHY]
    return {
        "static": static(runs),
        "cause_right": [len(right), len(causes)],
        "flaps_per_run": _mean([sum(alarm.reopened for alarm in run.alarms) for run in runs]),
        "alerts_per_healthy_run": _mean([sum(alarm.warned for alarm in run.alarms) for run in healthy]),
        "passing_alarms": [_passing(run) for run in healthy].count(True),
        "passing_alarms_of_sick": [_passing(run) for run in runs if run.outcome == SICK].count(True),
        "layers": layers([run for run in runs if run.outcome == SICK]),
        "problems": {problem: _of_problem([run for run in runs if run.problem == problem])
                     for problem in dict.fromkeys(run.problem for run in runs if run.outcome == SICK)},
        "misses": [f"{run.case} seed {run.seed}" for run in runs
                   if run.outcome == SICK and not run.is_detected],
        "false": [f"{run.case} seed {run.seed}: {_highest_rule(run)}" for run in healthy if run.is_detected],
        "wrong_cause": [f"{run.case} seed {run.seed}: {_highest_rule(run)}" for run in causes
                        if run not in right],
    }  # fmt: skip


def is_cause_right(run: Judged) -> bool:
    """Whether the highest of our alarms names what is wrong."""
    return _highest_rule(run) in run.accepts


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


def layers(sick: Sequence[Judged]) -> dict[str, Any]:
    """Compare the layers that our highest alert names with those that are sick: the mean Jaccard index.

    An alert that names none, or no alert, counts as 0.
    """
    known = [run for run in sick if run.layers]
    found = [(run.kind, jaccard(_highest_layers(run), run.layers)) for run in known]
    kinds = {
        kind: [one for other, one in found if other == kind] for kind in sorted({kind for kind, _ in found})
    }
    return {
        "runs": len(known),
        "named": sum(bool(_highest_layers(run)) for run in known),
        "jaccard": _mean([one for _, one in found]),
        "by_kind": {kind: [_mean(values), len(values)] for kind, values in kinds.items()},
    }


def jaccard(told: Sequence[int], true: Sequence[int]) -> float:
    """Measure how alike two sets of layers are: the shared ones among all."""
    return len(set(told) & set(true)) / len(set(told) | set(true))


def _highest_layers(run: Judged) -> tuple[int, ...]:
    found = highest(run.alarms)
    return () if found is None else found.layers


def by_kind(runs: Sequence[Judged]) -> dict[str, Any]:
    """Give the F1 of each kind of sickness that occurs, and their mean with its interval.

    A run is of the kind that its highest alarm says, for a peer its first; of its own where that is accepted.
    Healthy runs with an alarm count against the kind that it says. Sick runs of unknown kind do not count;
    one kind alone has no mean.
    """
    counted = [run for run in runs if run.outcome == HEALTHY or (run.outcome == SICK and run.kind)]
    kinds = sorted({run.kind for run in counted if run.outcome == SICK})
    true = np.array([kinds.index(run.kind) if run.outcome == SICK else -1 for run in counted], np.int64)
    said = np.array(
        [kinds.index(name) if name in kinds else -1 for name in map(_said_kind, counted)], np.int64
    )

    def of_kind(rows: NDArray[np.int64], kind: int) -> float:
        right = np.count_nonzero((true[rows] == kind) & (said[rows] == kind))
        either = np.count_nonzero(true[rows] == kind) + np.count_nonzero(said[rows] == kind)
        return 2 * right / either if either else float("nan")

    def macro(rows: NDArray[np.int64]) -> float:
        present = [kind for kind in range(len(kinds)) if (true[rows] == kind).any()]
        found = [of_kind(rows, kind) for kind in present] if len(kinds) > 1 else []
        return float(np.mean(found)) if found else float("nan")

    everything = np.arange(len(counted))
    return {
        "macro_f1": clustered([run.case for run in counted], macro),
        "kinds": {
            name: [of_kind(everything, kind), int((true == kind).sum())] for kind, name in enumerate(kinds)
        },
    }


def _said_kind(run: Judged) -> str:
    rule = _highest_rule(run)
    checks = SAME.get(rule, (rule,))
    if run.kind and set(checks) & set(run.accepts):
        return run.kind
    return KINDS.get(checks[0], "")


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
