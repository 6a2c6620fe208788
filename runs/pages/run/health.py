"""The health of a run's layers: a heat map of layer by step for every measure, with alerts and the cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runs.charts.chart import Chart
from runs.charts.layers import MEASURES
from runs.models import Series
from runs.pages.run.charts import drawable, health_map, read_run, spread, title_of
from runs.pages.run.redrawing import cursor_of, redrawn
from runs.pages.run.view import RunPage

MAX_LAYERS = 64  # rows of one map
_FIRST = ("dead_share", "gradient_rms", "update_ratio", "saturated_share")  # what tells most


def show(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the layers' health needs."""
    return {"charts": list(_maps(page).values()), "step": page.step, "cursor": cursor_of(page.run)}


def news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the maps again where points came."""
    return redrawn(page.run, after, lambda: _maps(page)), {}


def _maps(page: RunPage) -> Mapping[str, Chart]:
    """Draw every measure that the run has."""
    rows = Series.objects.filter(run=page.run, metric__in=MEASURES, layer__isnull=False)
    layers: dict[str, set[int]] = {}
    for metric, layer in rows.values_list("metric", "layer"):
        layers.setdefault(metric, set()).update([] if layer is None else [layer])
    every = sorted(set().union(*layers.values()))
    view = page.view(page.step)
    order = [measure for measure in dict.fromkeys((*_FIRST, *MEASURES)) if measure in layers]
    windows = read_run(page.run, order, spread(every, MAX_LAYERS)) if order else []
    maps = [health_map(replace(view, measure=measure), windows, f"health-{measure}") for measure in order]
    maps = [replace(one, title=title_of(measure)) for one, measure in zip(maps, order, strict=True)]
    # Of some activations no unit can die: that has no map, unless nothing has one yet.
    maps = [chart for chart in maps if not chart.empty] or maps
    return {chart.key: drawable(chart, is_over=view.is_over) for chart in maps}
