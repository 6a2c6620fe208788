"""What tables show of an outside run without reading its points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.db.models.functions import Now

from nnlab.health.events import json_value
from nnlab.series.summaries import Summary
from runs.models import Run, Series, Source, Status
from runs.reading.series import read_series
from runs.store.summaries import standings

_FIRST, _LAST = -(2**63), 2**63 - 1  # steps


def refresh(run_id: int) -> None:
    """Write the last value of each metric of the whole run, the score and the last step onto the run.

    A value that is not finite is spelled, for JSON has none; the score stays at the last finite one.
    """
    found = {metric: state for metric, state in standings(run_id).items() if not metric.startswith("_")}
    run = Run.objects.only("headline").get(pk=run_id)
    values: dict[str, Any] = {
        "summary": json_value(_ends(run_id, found)),
        "steps_run": max([0, *(state.last_step or 0 for state in found.values())]),
    }
    headline = found.get(run.headline)
    if headline is not None and headline.last is not None:
        values["score"] = headline.last
    Run.objects.filter(pk=run_id).update(**values)


def refresh_silent() -> None:
    """Bring up to date what tables show of runs that are about to be taken for lost: no batch may follow."""
    silent = Run.objects.filter(source=Source.OUTSIDE, status=Status.RUNNING, lease_until__lt=Now())
    for run_id in silent.values_list("pk", flat=True):
        refresh(run_id)


def _ends(run_id: int, states: Mapping[str, Summary]) -> dict[str, float]:
    """Return the last value of each metric; where none is known it is not finite, and the series has it."""
    steps = {metric: state.last_step or 0 for metric, state in states.items() if state.last is None}
    rows = Series.objects.filter(run_id=run_id, metric__in=steps).values_list("number", "metric", "layer")
    known = {
        number: max(steps[metric] - 1, _FIRST) if layer is None else _LAST for number, metric, layer in rows
    }
    asked = read_series([run_id], steps, after=known) if steps else []
    odd = {series.metric: float(series.values[-1]) for series in asked}
    return {
        metric: odd.get(metric, math.nan) if state.last is None else state.last
        for metric, state in states.items()
    }
