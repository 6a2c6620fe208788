"""What the trials of a search have found, as their rows say it at this moment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nnlab.search.proposing import State
from runs.models import Run, Search, Status, Trial
from runs.models.runs import HALTED, OVER
from runs.reading.metrics import higher_is_better

_COLUMNS = ("pk", "trial_id", "status", "stop_reason", "summary", "steps_run")


@dataclass(frozen=True)
class Outcome:
    """A trial and what became of it.

    Args:
        value: mean of the metric over its seeds; None where it is not known, infinite (the bad one) where
            the numbers of a seed stopped being finite.
        steps: that its runs have trained, together.
        runs: their keys.
    """

    trial: Trial
    state: State
    value: float | None
    steps: int
    runs: Sequence[int]


def outcomes(search: Search) -> list[Outcome]:
    """Return the trials of a search in their order, in two queries."""
    trials = list(search.trials.all())
    rows: dict[int, list[dict[str, Any]]] = {trial.pk: [] for trial in trials}
    for row in Run.objects.filter(trial__search=search).order_by("pk").values(*_COLUMNS):
        rows[row["trial_id"]].append(row)
    return [_outcome(trial, rows[trial.pk], search.metric) for trial in trials]


def _outcome(trial: Trial, runs: Sequence[Mapping[str, Any]], metric: str) -> Outcome:
    values = [value for run in runs if (value := _value(run, metric)) is not None]
    if any(run["status"] not in OVER for run in runs):
        state = State.RUNNING
    elif not values:
        state = State.FAILED
    else:
        state = State.STOPPED if any(run["stop_reason"] in HALTED for run in runs) else State.DONE
    is_known = bool(values) and state is not State.RUNNING
    steps = sum(run["steps_run"] for run in runs)
    return Outcome(trial, state, fmean(values) if is_known else None, steps, [run["pk"] for run in runs])


def _value(run: Mapping[str, Any], metric: str) -> float | None:
    """Return what a run that is over has shown; None where it failed, or was cancelled."""
    worst = -math.inf if higher_is_better(metric) else math.inf
    if run["stop_reason"] == "diverged":
        return worst
    if run["status"] != Status.FINISHED:
        return None
    value = run["summary"].get(metric)
    return float(value) if isinstance(value, int | float) else worst
