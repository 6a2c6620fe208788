"""Trade-off: a metric against what it costs, and the front of what nothing beats at less cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import (
    Chart,
    FloatArray,
    Table,
    empty_chart,
    escaped,
    figure_of,
    number_text,
    plural,
    value_axis,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass(frozen=True)
class CostView:
    """One group: what it costs, its mean, and the interval over seeds (None for one seed)."""

    name: str
    cost: float
    mean: float
    low: float | None
    high: float | None
    n: int


def tradeoff(
    key: str,
    title: str,
    points: Sequence[CostView],
    front: Sequence[int],
    *,
    x_title: str,
    y_title: str,
    caption: str = "",
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Chart:
    """Draw a dot with its interval for each group; those on the front large and joined by steps.

    Args:
        points: with costs above 0, since the axis of costs is logarithmic.
        front: places among the points, the cheapest first.
        bounds: of what is possible: the axis opens little further.
    """
    if not points:
        return empty_chart(key, title, "No group has both a cost and a result yet.")
    held = set(front)
    means = np.array([one.mean for one in points], dtype=np.float64)
    layout = {
        "xaxis": {"title": {"text": x_title}, "type": "log", **_ticks([one.cost for one in points])},
        # Whiskers of two seeds are long: opened on them, the axis would press the means flat.
        "yaxis": value_axis(y_title, means) | {"range": _opening(means, bounds)},
        "showlegend": False,
        "hovermode": "closest",
    }
    traces = [
        *_dots([one for place, one in enumerate(points) if place not in held], x_title, faint=True),
        _steps([points[place] for place in front]),
        *_dots([points[place] for place in front], x_title, faint=False),
    ]
    return Chart(
        key=key,
        title=title,
        figure=figure_of(traces, layout),
        summary=_summary(points, front, x_title, y_title),
        caption=caption,
        table=_table(points, held, x_title, y_title),
        height="tall",
    )


def _opening(means: FloatArray, bounds: tuple[float, float]) -> list[float]:
    room = 0.2 * float(np.ptp(means)) or 0.05 * abs(float(means[0])) or 1.0
    low, high = max(means.min() - room, bounds[0]), min(means.max() + room, bounds[1])
    edge = 0.03 * (high - low)  # for a dot that lies on the edge
    return [float(low - edge), float(high + edge)]


def _ticks(costs: Collection[float]) -> dict[str, Any]:
    """Label 1, 2 and 5 of each decade, and only the decades where there are many."""
    low, high = min(costs) / 1.3, max(costs) * 1.3
    digits = (1, 2, 5) if high < 1000 * low else (1,)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [
        digit * 10.0**decade for decade in decades for digit in digits if low <= digit * 10.0**decade <= high
    ]
    return {
        "tickvals": ticks, "ticktext": [number_text(tick) for tick in ticks],
        "range": [np.log10(low), np.log10(high)],
    }  # fmt: skip


def _dots(points: Sequence[CostView], x_title: str, *, faint: bool) -> list[dict[str, Any]]:
    if not points:
        return []
    up = [None if one.high is None else one.high - one.mean for one in points]
    down = [None if one.low is None else one.mean - one.low for one in points]
    return [{
        "type": "scatter", "mode": "markers", "name": "dominated" if faint else "on the front",
        "ids": [escaped(one.name) for one in points], "x": [one.cost for one in points],
        "y": [one.mean for one in points], "text": [_words(one, x_title) for one in points],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 6 if faint else 10, "symbol": "circle-open" if faint else "circle"},
        "error_y": {"type": "data", "symmetric": False, "array": up, "arrayminus": down,
                    "width": 3, "thickness": 2, "visible": not faint},
        "meta": {"role": "muted" if faint else "mean", "series": 0},
    }]  # fmt: skip


def _steps(front: Sequence[CostView]) -> dict[str, Any]:
    """Join the front: until the next dot, paying more brings nothing."""
    return {
        "type": "scatter", "mode": "lines", "name": "front", "x": [one.cost for one in front],
        "y": [one.mean for one in front], "line": {"shape": "hv", "width": 2, "dash": "dot"},
        "hoverinfo": "skip", "meta": {"role": "line", "series": 0},
    }  # fmt: skip


def _words(point: CostView, x_title: str) -> str:
    lines = [escaped(point.name), f"{number_text(point.mean)}, {plural(point.n, 'seed')}"]
    if point.low is None or point.high is None:
        lines.append("one seed: no interval")
    else:
        lines.append(f"95 % interval {number_text(point.low)} to {number_text(point.high)}")
    return "<br>".join([*lines, f"{x_title}: {number_text(point.cost)}"])


def _summary(points: Sequence[CostView], front: Sequence[int], x_title: str, y_title: str) -> str:
    cheap, best = points[front[0]], points[front[-1]]
    text = f"{len(front)} of {plural(len(points), 'group')} {'is' if len(front) == 1 else 'are'} on the front"
    if len(front) == 1:
        return f"{text}: {best.name} is both the cheapest and the best."
    ends = [f"{one.name} ({number_text(one.mean)} at {number_text(one.cost)})" for one in (cheap, best)]
    return f"{text}: {y_title} by {x_title} from {ends[0]} to {ends[1]}."


def _table(points: Sequence[CostView], held: Collection[int], x_title: str, y_title: str) -> Table:
    order = sorted(range(len(points)), key=lambda place: (points[place].cost, place))
    rows = tuple(
        (
            points[place].name,
            number_text(points[place].cost),
            number_text(points[place].mean),
            number_text(points[place].low),
            number_text(points[place].high),
            str(points[place].n),
            "on the front" if place in held else "dominated",
        )
        for place in order
    )
    return Table(("group", x_title, f"mean {y_title}", "95 % low", "95 % high", "seeds", ""), rows)
