"""Charts that are drawn anew while their run goes on: not with every point, and only where points came."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.html import escape

from runs.charts.chart import Chart
from runs.models import Ledger, Run

REDRAWN_EVERY = 5  # seconds


def cursor_of(run: Run) -> str:
    """Name the state of a run's points, and when it was drawn: each write counts."""
    return f"{_state(run)}_{int(time.time())}"


def redrawn(run: Run, after: str, draw: Callable[[], Mapping[str, Chart]]) -> dict[str, Any]:
    """Return the charts again where points came since the cursor; while a run goes on, every few seconds."""
    state, _, drawn_at = after.rpartition("_")
    is_early = drawn_at.isdecimal() and time.time() < int(drawn_at[:12]) + REDRAWN_EVERY
    now = cursor_of(run)
    if not run.is_over and (is_early or state == now.rpartition("_")[0]):
        return {"next": after}
    charts = draw()
    return {
        "replace": {key: chart.figure for key, chart in charts.items()},
        "fragments": {f"{key}-summary": escape(chart.summary) for key, chart in charts.items()},
        "next": now,
    }


def _state(run: Run) -> str:
    batches = Ledger.objects.filter(run=run).values_list("batches", flat=True).first() or 0
    return f"{run.attempt}_{batches}"
