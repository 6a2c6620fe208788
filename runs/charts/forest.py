"""Forest plot: each group's distance to a reference as a dot with its interval, none at a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import Chart, empty_chart, escaped, figure_of, number_text, value_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE = 30  # letters of a name before it is broken in two


@dataclass(frozen=True)
class DistanceView:
    """One group: the difference of means to the reference, with its interval where it has one.

    Args:
        is_better: whether the difference is for the better; ``is_certain``: whether that can be told.
        verdict: in words.
    """

    name: str
    mean: float
    low: float | None
    high: float | None
    verdict: str
    is_better: bool = False
    is_certain: bool = False


def forest(
    key: str,
    title: str,
    views: Sequence[DistanceView],
    *,
    x_title: str,
    within: float | None = None,
    summary: str = "",
    caption: str = "",
) -> Chart:
    """Draw a dot with its whisker for each group, the first on top: filled where the difference is certain.

    Args:
        within: a difference that does not matter: its edges are dotted.
    """
    if not views:
        return empty_chart(key, title, "No group has a finished run that could be compared.")
    edges = [0.0] if within is None else [-within, 0.0, within]
    places = range(len(views) - 1, -1, -1)
    means = np.array([view.mean for view in views], dtype=np.float64)
    layout = {
        "xaxis": value_axis(x_title, means) | {"zeroline": False},
        "yaxis": {
            "tickvals": list(places), "ticktext": [_broken(view.name) for view in views],
            "range": [-0.6, len(views) - 0.4], "ticklabelstandoff": 6,
            "showgrid": False, "zeroline": False, "fixedrange": True,
        },
        "meta": {"yaxis": [escaped(view.name) for view in views]},
        "shapes": [
            {"type": "line", "x0": edge, "x1": edge, "yref": "y domain", "y0": 0, "y1": 1}
            | {"line": {"width": 1, "dash": "dot" if edge else "solid"}}
            for edge in edges
        ],
        "showlegend": False, "hovermode": "closest",
    }  # fmt: skip
    placed = list(zip(places, views, strict=True))
    kinds = {(view.is_better, view.is_certain): None for view in views}
    traces = [
        _dots([one for one in placed if (one[1].is_better, one[1].is_certain) == kind]) for kind in kinds
    ]
    figure = figure_of(traces, layout)
    return Chart(key=key, title=title, figure=figure, summary=summary, caption=caption, height="tall")


def _dots(placed: Sequence[tuple[int, DistanceView]]) -> dict[str, Any]:
    first = placed[0][1]
    up = [None if view.high is None else view.high - view.mean for _, view in placed]
    down = [None if view.low is None else view.mean - view.low for _, view in placed]
    return {
        "type": "scatter", "mode": "markers", "orientation": "h", "name": first.verdict,
        "x": [view.mean for _, view in placed], "y": [place for place, _ in placed],
        "marker": {"size": 10, "symbol": "circle" if first.is_certain else "circle-open"},
        "error_x": {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "width": 4,
                    "thickness": 1.5},
        "text": [_words(view) for _, view in placed], "hovertemplate": "%{text}<extra></extra>",
        "meta": {"role": "bar", "series": 0 if first.is_better else 1},
    }  # fmt: skip


def _words(view: DistanceView) -> str:
    interval = "no interval"
    if view.low is not None and view.high is not None:
        interval = f"95 % interval {number_text(view.low)} to {number_text(view.high)}"
    return f"{escaped(view.name)}: {number_text(view.mean)}<br>{interval}<br>{escaped(view.verdict)}"


def _broken(name: str) -> str:
    """Break a long name in two at the comma that is nearest to its middle."""
    commas = [place for place, letter in enumerate(name) if letter == ","]
    if len(name) <= _LINE or not commas:
        return escaped(name)
    at = min(commas, key=lambda place: abs(place - len(name) / 2)) + 1
    return f"{escaped(name[:at])}<br>{escaped(name[at:].strip())}"
