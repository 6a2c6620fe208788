"""Metric curves: lines over steps, with bands, gaps where a value is not finite, and alert marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runs.charts.chart import (
    Chart,
    FloatArray,
    Mark,
    Table,
    empty_chart,
    figure_of,
    marks_layout,
    marks_sentence,
    step_text,
    thinned,
    value_axis,
    value_text,
    whole_ticks,
)
from runs.charts.line_traces import broken_trace, traces
from runs.charts.sentences import curves_summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


_EDGE = 0.004  # room beyond 0 and 1 for half the width of a line
_OPENING_SHARE = 0.1  # of the steps, left out of what the axis opens on


@dataclass(frozen=True)
class Line:
    """One line of a chart; a value that is not finite is a gap, never a zero.

    Shapes: x, y, n and, for a band around it, low and high: (points,).

    Args:
        series: which colour of the theme; from 6 on the colours repeat with another dash.
        faint: drawn thin and pale, as the raw line behind a smoothed one.
        extremes: a faint line that shows what others average over: the axis opens on it, and where it breaks
            is marked, as for any other.
        ends: means of the first and the last column of a line that shows columns, not points: it is known
            only about where its extremes and breaks are.
        n: runs behind each point, shown on hover; where they are fewer than elsewhere the line is dashed.
        source: run, metric and layer of a line that shows only a part of its points: the browser asks for the
            rest where somebody looks closer.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    series: int = 0
    dash: Literal["solid", "dash", "dot", "dashdot"] = "solid"
    faint: bool = False
    extremes: bool = False
    ends: tuple[float, float] | None = None
    n: ArrayLike | None = None
    source: tuple[int, str, int | None] | None = None

    @property
    def counts(self) -> bool:
        """Whether the axis opens on it and its breaks are marked."""
        return self.extremes or not self.faint

    @property
    def where(self) -> str:
        """What to say before a step."""
        return "about " if self.ends else ""


@dataclass(frozen=True)
class ReadLine:
    """A line with its arrays read once."""

    line: Line
    x: FloatArray
    y: FloatArray
    finite: NDArray[np.bool_]

    @property
    def full(self) -> NDArray[np.bool_]:
        """Where as many runs are behind a point as behind any, or there is no value to ask about."""
        if self.line.n is None or not self.finite.any():
            return np.ones(self.y.shape, bool)
        n = np.asarray(self.line.n)
        return np.asarray((n == n.max()) | ~self.finite)


def curves(  # noqa: PLR0913 - what is drawn, and the axes it is drawn against, belong together
    key: str,
    title: str,
    lines: Sequence[Line],
    *,
    x_title: str = "step",
    y_title: str,
    log_y: bool = False,
    least_span: float | None = None,
    percent: bool = False,
    marks: Sequence[Mark] = (),
    x_range: tuple[float | None, float | None] = (None, None),
) -> Chart:
    """Draw metrics over steps, epochs or time.

    On a log axis values at or below 0 are not drawn, and not moved either: the summary counts them.

    Args:
        least_span: opens a linear axis on the later 90 % of the lines, because a start far off, or the band
            of two seeds, would press everything else flat; on at least this much, so that noise in a share
            does not look like change. The summary says so; resetting the zoom shows all. None opens on all.
        percent: labels the axis of a share in percent; the values stay between 0 and 1.
        x_range: that the axis opens on; None for the ends of the lines.

    Raises:
        ValueError: where x and y of a line, or its band, differ in length.
    """
    read = [_read(line) for line in lines]
    if not any(item.finite.any() for item in read):
        return empty_chart(key, title, _nothing(read))
    data = _layered([trace for item in read for trace in traces(item, log_y=log_y)])
    data += broken_trace(read, x_title, log_y=log_y)
    heights = np.concatenate([item.y for item in read])
    opening = {} if log_y or least_span is None else _opening(read, least_span)
    layout = {
        "xaxis": {"title": {"text": x_title}, "rangemode": "tozero"}
        | ({} if x_range == (None, None) else {"range": list(x_range)})
        | whole_ticks([item.x for item in read], marks),
        "yaxis": value_axis(y_title, heights, log=log_y, percent=percent) | opening,
        "hovermode": "x unified",
        "showlegend": len({line.name for line in lines if not line.faint}) > 1,
        "uirevision": "keep",
    }
    layout |= marks_layout(marks)
    return Chart(
        key=key,
        title=title,
        figure=figure_of(data, layout),
        summary=curves_summary(read, x_title, y_title, log_y=log_y, percent=percent)
        + _opening_sentence(read, opening)
        + marks_sentence(marks),
        table=_table([item for item in read if not item.line.faint], x_title, percent=percent),
    )


def _layered(drawn: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put bands behind all lines, else they would tint those of others."""
    areas = {"edge", "band"}
    behind = [trace for trace in drawn if trace["meta"]["role"] in areas]
    return behind + [trace for trace in drawn if trace["meta"]["role"] not in areas]


def _opening(read: Sequence[ReadLine], least_span: float) -> dict[str, Any]:
    """Choose the range that a linear axis opens on; nothing where it would be that of all values anyway."""
    lines = [item for item in read if item.line.counts and item.finite.any()]
    start = min(float(item.x[item.finite][0]) for item in lines)
    end = max(float(item.x[item.finite][-1]) for item in lines)
    later = start + _OPENING_SHARE * (end - start)
    seen = np.concatenate([item.y[item.finite & (item.x >= later)] for item in lines])
    low, high = float(seen.min()), float(seen.max())
    pad = max(0.08 * (high - low), (least_span - (high - low)) / 2)
    is_share = least_span > 0 and low >= 0 and high <= 1  # there is nothing beyond 0 and 100 %
    bounds = (-_EDGE, 1 + _EDGE) if is_share else (-np.inf, np.inf)
    return {"range": [max(low - pad, bounds[0]), min(high + pad, bounds[1])]} if pad > 0 else {}


def _opening_sentence(read: Sequence[ReadLine], opening: dict[str, Any]) -> str:
    """Say so where the axis does not open on everything."""
    if not opening:
        return ""
    low, high = opening["range"]
    drawn = (
        values for item in read for values in (item.y, item.line.low, item.line.high) if values is not None
    )
    every = np.concatenate([np.asarray(values, dtype=np.float64) for values in drawn])
    hidden = bool(((every < low) | (every > high)).any())  # NaN is neither
    return " The axis opens on the later lines; reset the zoom to see all." if hidden else ""


def _read(line: Line) -> ReadLine:
    x, y = np.asarray(line.x, dtype=np.float64), np.asarray(line.y, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(
            f"expected x and y of {line.name!r} to be of one length, got {x.shape} and {y.shape}"
        )
    for beside in (line.low, line.high, line.n):
        if beside is not None and np.asarray(beside).shape != y.shape:
            raise ValueError(
                f"expected band and n of {line.name!r} to be as long as its line, {y.size} points"
            )
    return ReadLine(line, x, y, np.isfinite(y))


def _nothing(read: Sequence[ReadLine]) -> str:
    if any(item.y.size for item in read):
        return "No finite value so far: every point is NaN or infinite."
    return "No point yet: the first one is drawn as soon as it is recorded."


def _table(read: Sequence[ReadLine], x_title: str, *, percent: bool) -> Table:
    steps = np.unique(np.concatenate([item.x for item in read])) if read else np.empty(0)
    chosen = thinned(steps.size)
    note = f"{len(chosen)} of {steps.size} rows; the CSV has them all" if len(chosen) < steps.size else ""
    values = [dict(zip(item.x.tolist(), item.y.tolist(), strict=True)) for item in read]
    rows = tuple(
        (
            step_text(steps[index]),
            *(value_text(of.get(float(steps[index])), percent=percent) for of in values),
        )
        for index in chosen
    )
    return Table((x_title, *(item.line.name for item in read)), rows, note)
