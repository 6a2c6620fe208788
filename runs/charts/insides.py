"""What is inside a network: outputs of layers as ridges, weights over steps, units that are on or silent."""

from __future__ import annotations

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
    numbers,
    plural,
    step_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ROWS = (12, 60)  # of a map of values: few where there are few of them, which would fall between the rows
_HEIGHT = 0.85  # of a ridge; the next one begins at 1
_FEW_LAYERS = 6


@dataclass(frozen=True)
class Ridge:
    """How the values of one layer are spread at one step.

    Shapes: ``counts`` (bins,), of equal width from ``low`` to ``high``; (1,) where all values are equal.

    Args:
        zeros: values that are exactly 0, which no bin holds.
    """

    name: str
    low: float
    high: float
    counts: NDArray[np.int64]
    zeros: int

    @property
    def size(self) -> int:
        """All values, zeros among them."""
        return int(self.counts.sum()) + self.zeros

    @property
    def zero_share(self) -> float:
        """Share of the values that are exactly 0."""
        return self.zeros / self.size if self.size else 0.0

    @property
    def edges(self) -> FloatArray:
        """The ends of the bins. Shapes: (bins + 1,)."""
        return np.linspace(self.low, self.high, len(self.counts) + 1)

    def shares(self, edges: FloatArray) -> FloatArray:
        """Return which share of all values lies between edges, bins being even inside.

        Shapes: (n + 1,) -> (n,).
        """
        if self.high > self.low:
            below = np.interp(edges, self.edges, np.concatenate([[0], np.cumsum(self.counts)]))
            found = np.diff(below)
        else:
            found = np.histogram(np.full(len(self.counts), self.low), edges)[0] * self.counts.sum()
        zeros = np.histogram(np.zeros(1), edges)[0] * self.zeros
        return np.asarray((found + zeros) / max(self.size, 1), dtype=np.float64)


def ridgeline(key: str, title: str, ridges: Sequence[Ridge], *, x_title: str, step: int) -> Chart:
    """Draw the values of each layer as a ridge, the first layer at the bottom; zeros are told beside it.

    Each ridge has the height of its own highest bin: its form counts, not its size.
    """
    if not ridges:
        return empty_chart(key, title, "No hidden layer, so there are no outputs to see.")
    data = [trace for place, ridge in enumerate(ridges) for trace in _ridge(place, ridge)]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": x_title}},
        "yaxis": {
            "tickvals": list(range(len(ridges))),
            "ticktext": [escaped(ridge.name) for ridge in ridges],
            "range": [-0.15, len(ridges) + 0.05],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "automargin": True,
        },
        "margin": {"r": 84},
        "showlegend": False,
        "annotations": [_zeros(place, ridge) for place, ridge in enumerate(ridges) if ridge.zeros],
    }
    return Chart(
        key=key,
        title=title,
        figure=figure_of(data, layout),
        summary=_ridge_summary(ridges, step),
        table=Table(
            ("layer", "least", "greatest", "exactly 0"),
            tuple(
                (one.name, number_text(one.low), number_text(one.high), f"{one.zero_share:.1%}")
                for one in ridges
            ),
        ),
        height="normal" if len(ridges) <= _FEW_LAYERS else "tall",
    )


def _ridge(place: int, ridge: Ridge) -> list[dict[str, Any]]:
    """Draw a ground line, and the ridge above it, filled down to it."""
    if not len(ridge.counts):
        return []
    tops = ridge.counts / max(int(ridge.counts.max()), 1) * _HEIGHT
    if ridge.high > ridge.low:
        centres = (ridge.edges[:-1] + ridge.edges[1:]) / 2
        x = np.concatenate([[ridge.low], centres, [ridge.high]])
        heights = np.concatenate([[0.0], tops, [0.0]])
    else:
        x, heights = np.full(2, ridge.low), np.array([0.0, _HEIGHT])
    common = {"type": "scatter", "mode": "lines", "showlegend": False, "x": numbers(x)}
    ground = common | {"y": numbers(np.full(x.size, float(place))), "hoverinfo": "skip", "line": {"width": 0}}
    return [
        ground | {"meta": {"role": "edge", "series": 0}},
        common | {
            "name": escaped(ridge.name), "y": numbers(place + heights), "fill": "tonexty",
            "line": {"width": 1.5},
            "hovertemplate": f"{escaped(ridge.name)}: %{{x:.3~g}}<extra></extra>",
            "meta": {"role": "line", "series": 0},
        },
    ]  # fmt: skip


def _zeros(place: int, ridge: Ridge) -> dict[str, Any]:
    return {
        "name": "critical" if ridge.zeros == ridge.size else "note", "xref": "paper", "yref": "y", "x": 1.0,
        "xanchor": "left", "y": place + 0.2, "showarrow": False, "font": {"size": 11},
        "text": "all 0" if ridge.zeros == ridge.size else f"{ridge.zero_share:.0%} zero",
    }  # fmt: skip


def _ridge_summary(ridges: Sequence[Ridge], step: int) -> str:
    silent = [ridge.name for ridge in ridges if ridge.zeros == ridge.size]
    where = f"At step {step_text(step)}"
    if silent:
        return f"{where} every output of {', '.join(silent)} is exactly 0."
    first, last = ridges[0], ridges[-1]
    text = f"{where} the outputs of {first.name} reach {_reach(first)}"
    if last is not first:
        text += f", those of {last.name} {_reach(last)}"
    return f"{text}."


def value_map(key: str, title: str, steps: Sequence[int], ridges: Sequence[Ridge], *, y_title: str) -> Chart:
    """Draw how values are spread after each of some steps: a column a step, darker where there are few.

    The columns are snapshots, further apart the later they are, so they stand side by side and not to scale.
    """
    known = [ridge for ridge in ridges if ridge.size]
    if not known:
        return empty_chart(key, title, "No snapshot has a value for it.")
    low, high = min(one.low for one in known), max(one.high for one in known)
    if any(one.zeros for one in known):
        low, high = min(low, 0.0), max(high, 0.0)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    rows = int(np.clip(2 * np.sqrt(max(one.size for one in known)), *_ROWS))
    edges = np.linspace(low, high, rows + 1)
    shares = np.stack([ridge.shares(edges) for ridge in ridges], axis=1)
    columns = [step_text(step) for step in steps]
    heat = {
        "type": "heatmap", "x": columns, "y": numbers((edges[:-1] + edges[1:]) / 2),
        "z": numbers(np.where(shares > 0, shares, np.nan)), "zmin": 0.0, "zsmooth": False,
        "hoverongaps": False, "colorbar": _bar("share"),
        "hovertemplate": f"after step %{{x}}, {y_title} %{{y:.3~g}}: %{{z:.1%}}<extra></extra>",
        "meta": {"role": "heat"},
    }  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "step"}, "type": "category", "showgrid": False},
        "yaxis": {"title": {"text": y_title}, "showgrid": False, "zeroline": False},
        "showlegend": False,
    }
    listed = tuple(
        (column, number_text(one.low), number_text(one.high))
        for column, one in zip(columns, ridges, strict=True)
    )
    return Chart(
        key=key,
        title=title,
        figure=figure_of([heat], layout),
        summary=_map_summary(steps, ridges),
        table=Table(("after step", "least", "greatest"), listed),
    )


def _bar(title: str) -> dict[str, Any]:
    return {"thickness": 10, "tickformat": ".0%", "title": {"text": title, "side": "right"}}


def _map_summary(steps: Sequence[int], ridges: Sequence[Ridge]) -> str:
    first, last = ridges[0], ridges[-1]
    told = f"They reach {_reach(first)} after step {step_text(steps[0])}"
    return f"{told}, {_reach(last)} after step {step_text(steps[-1])}." if len(ridges) > 1 else f"{told}."


def _reach(ridge: Ridge) -> str:
    return f"from {number_text(ridge.low)} to {number_text(ridge.high)}"


def unit_map(key: str, title: str, steps: Sequence[int], active: FloatArray) -> Chart:
    """Draw for each unit on which share of the rows it is on; one that is off for all of them stands out.

    Units are sorted by what they do after the last step, so that those alike stand together.

    Shapes: active (units, steps), 0 to 1.

    Raises:
        ValueError: for an array of another shape.
    """
    if active.ndim != 2 or active.shape[1] != len(steps):
        raise ValueError(f"expected (units, {len(steps)}) shares, got shape {active.shape}")
    order = np.argsort(active[:, -1], kind="stable")
    columns, places = [step_text(step) for step in steps], list(range(1, len(active) + 1))
    common = {
        "type": "heatmap", "x": columns, "y": places, "zsmooth": False, "hoverongaps": False,
        "text": [[f"unit {unit + 1}"] * len(steps) for unit in order],
    }  # fmt: skip
    seen = active[order]
    heat = common | {
        "z": numbers(np.where(seen > 0, seen, np.nan)), "zmin": 0.0, "zmax": 1.0,
        "colorbar": _bar("rows with output > 0"),
        "hovertemplate": "%{text} after step %{x}: on for %{z:.0%} of the rows<extra></extra>",
        "meta": {"role": "heat"},
    }  # fmt: skip
    silent = common | {
        "z": numbers(np.where(seen == 0, 1.0, np.nan)), "showscale": False,
        "hovertemplate": "%{text} after step %{x}: off for every row<extra></extra>",
        "meta": {"role": "zero"},
    }  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "step"}, "type": "category", "showgrid": False},
        "yaxis": {
            "title": {"text": "units, the most active on top"},
            "showgrid": False,
            "zeroline": False,
            "nticks": 8,
        },
        "showlegend": False,
    }
    dead = (active == 0).sum(axis=0)
    rows = tuple((column, str(int(count))) for column, count in zip(columns, dead, strict=True))
    return Chart(
        key=key,
        title=title,
        figure=figure_of([heat, *([silent] if dead.any() else [])], layout),
        summary=_unit_summary(steps, dead, len(active)),
        table=Table(("after step", "units off for every row"), rows),
    )


def _unit_summary(steps: Sequence[int], dead: NDArray[np.int64], units: int) -> str:
    last = int(dead[-1])
    if not last:
        return f"After step {step_text(steps[-1])} each of the {units} units is on for some row."
    share = f"{plural(last, 'unit')} of {units}" if last < units else f"all {units} units"
    since = next((step for place, step in enumerate(steps) if dead[place:].min() >= last), steps[-1])
    return (
        f"After step {step_text(steps[-1])} {share} {'is' if last == 1 else 'are'} off for every row,"
        f" drawn in a colour of their own; as many since step {step_text(since)}."
    )
