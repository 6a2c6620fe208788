"""Tuning curves: what each learning rate gave, a line for each network, the chosen rate marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runs.charts.chart import (
    COLOURS,
    DASHES,
    Chart,
    Table,
    empty_chart,
    escaped,
    figure_of,
    number_text,
    value_axis,
)


@dataclass(frozen=True)
class TuningView:
    """One network: the mean of each learning rate (None where all runs diverged), and the one chosen."""

    name: str
    means: Mapping[float, float | None]
    chosen: float | None


def tuning_plot(key: str, title: str, views: Sequence[TuningView], *, y_title: str) -> Chart:
    """Draw the metric against the learning rate on a log axis."""
    values = [mean for view in views for mean in view.means.values() if mean is not None]
    if not values:
        return empty_chart(key, title, "No run that tunes has a result yet.")
    rates = sorted({rate for view in views for rate in view.means})
    layout = {
        "xaxis": {
            "title": {"text": "learning rate"},
            "type": "log",
            "tickvals": rates,
            "ticktext": [f"{rate:.3g}" for rate in rates],
        },
        "yaxis": value_axis(y_title, np.array(values, dtype=np.float64)),
        "showlegend": len(views) > 1,
        "hovermode": "closest",
    }
    traces = [trace for place, view in enumerate(views) for trace in _traces(place, view)]
    return Chart(
        key=key,
        title=title,
        figure=figure_of(traces, layout),
        summary=" ".join(_sentence(view, rates) for view in views),
        table=_table(views, rates),
    )


def _traces(place: int, view: TuningView) -> list[dict[str, Any]]:
    rates = sorted(view.means)
    name, meta = escaped(view.name), {"series": place % COLOURS, "role": "pair"}
    line = {
        "type": "scatter", "mode": "lines+markers", "name": name, "legendgroup": name, "x": rates,
        "y": [view.means[rate] for rate in rates], "connectgaps": False,
        "line": {"width": 2, "dash": DASHES[place % len(DASHES)]}, "marker": {"size": 6},
        "hovertemplate": "%{x:.3g}: %{y:.5~g}<extra>" + name + "</extra>", "meta": meta,
    }  # fmt: skip
    if view.chosen is None:
        return [line]
    chosen = {
        "type": "scatter", "mode": "markers", "name": f"{name}, chosen", "legendgroup": name,
        "showlegend": False, "x": [view.chosen], "y": [view.means[view.chosen]],
        "marker": {"size": 13, "symbol": "diamond"}, "hoverinfo": "skip", "meta": {**meta, "role": "mean"},
    }  # fmt: skip
    return [line, chosen]


def _sentence(view: TuningView, rates: Sequence[float]) -> str:
    if view.chosen is None:
        return f"{view.name}: no rate is chosen yet."
    edge = " (at the edge of what was tried)" if view.chosen in {rates[0], rates[-1]} else ""
    return f"{view.name}: {view.chosen:.3g} is best{edge}, {number_text(view.means[view.chosen])}."


def _table(views: Sequence[TuningView], rates: Sequence[float]) -> Table:
    rows = tuple((f"{rate:.3g}", *(number_text(view.means.get(rate)) for view in views)) for rate in rates)
    return Table(("learning rate", *(view.name for view in views)), rows)
