"""Operations that read points."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from nnlab.health.events import json_value
from runs.api.answers import found
from runs.api.schemas import SeriesOut, Word
from runs.reading.series import Points
from runs.reading.series import read_series as read_points

router = Router()


@router.get("/runs/{run_id}/series", response=list[SeriesOut], summary="A run's points")
def read_series(request: HttpRequest, run_id: int, metric: Word, after: int = -1) -> list[dict[str, Any]]:
    """Give every point of a metric, or those after a step; a metric of layers has one series for each.

    Step 0 is what was measured before the first update.
    """
    return [_series(points, after) for points in read_points([found(run_id).pk], [metric])]


def _series(points: Points, after: int) -> dict[str, Any]:
    later = points.steps > after
    return {
        "metric": points.metric,
        "layer": points.layer,
        "steps": points.steps[later].tolist(),
        "values": json_value(points.values[later].tolist()),
    }
