"""Parallel coordinates: a line for each group through an axis for each setting, as ordinary scatter lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import (
    COLOURS,
    Chart,
    FloatArray,
    Table,
    empty_chart,
    escaped,
    figure_of,
    number_text,
    numbers,
    plural,
    thinned,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 6  # colours of a measure: more could not be told apart
_FEW = 7  # levels that are all named on an axis
_TICKS = 5
_FAN = 0.06  # of the height, at most, that the lines of a level take
_LINE = 0.06  # of the height, that a label takes
_BROKEN = -0.09  # where lines without a value end, below all values


@dataclass(frozen=True)
class Axis:
    """One axis: a value for each line; a number, a name, or None where there is none.

    Args:
        log: spaced by the logarithm; values at or below 0 have no place there.
        flip: the largest at the bottom.
    """

    title: str
    values: Sequence[float | str | None]
    log: bool = False
    flip: bool = False


@dataclass(frozen=True)
class ReadAxis:
    """An axis with its lines' heights, 0 to 1, and its labels; NaN for a line without a place."""

    axis: Axis
    heights: FloatArray
    ticks: Sequence[tuple[float, str]]


def parallel(
    key: str,
    title: str,
    axes: Sequence[Axis],
    names: Sequence[str],
    *,
    inside: Sequence[bool],
    higher: bool,
    levels: Sequence[tuple[int, str]] = (),
    caption: str = "",
) -> Chart:
    """Draw the lines through their axes; the last axis is the measure that colours them.

    Args:
        names: of the lines.
        inside: whether a line is within the ranges chosen; the others are drawn grey and thin.
        higher: whether a larger measure is better: the better lines lie on top.
        levels: each the place and the name of a level that colours its line; empty for one by the measure.
    """
    if not any(inside):
        return empty_chart(key, title, "No group lies within these ranges.")
    read = [_read(axis) for axis in axes]
    shares = read[-1].heights if not read[-1].axis.flip else 1 - read[-1].heights
    read = [*(_spread(axis, shares) for axis in read[:-1]), read[-1]]
    colours = np.array([place for place, _ in levels]) if levels else _bins(shares)
    kept = np.asarray(inside)
    traces = [_lines(read, names, np.flatnonzero(~kept), "not in the ranges", {"role": "ghost"})]
    for colour in np.unique(colours[kept])[:: 1 if higher else -1].tolist():
        name = "no value" if colour < 0 else "in the ranges"
        meta: dict[str, Any] = {"role": "bin", "share": colour / (BINS - 1)}
        if levels:
            meta = {"role": "faint" if kept.sum() > 60 else "line", "series": colour % COLOURS}
            name = dict(levels)[colour]
        elif colour < 0:
            meta = {"role": "broken"}
        found = np.flatnonzero(kept & (colours == colour))
        traces.append(_lines(read, names, found, name, meta))
    return Chart(
        key=key,
        title=title,
        figure=figure_of([trace for trace in traces if trace["ids"]], _layout(read, legend=bool(levels))),
        summary=_summary(read[-1], names, kept),
        caption=caption,
        table=_table(axes, names, np.flatnonzero(kept).tolist()),
        height="tall",
    )


def _read(axis: Axis) -> ReadAxis:
    if any(isinstance(value, str) for value in axis.values):
        return _read_names(axis)
    values = np.array([np.nan if value is None else value for value in axis.values], dtype=np.float64)
    values[~np.isfinite(values) | (axis.log & ~(values > 0))] = np.nan
    placed = np.log10(values) if axis.log else values
    if not np.isfinite(placed).any():
        return ReadAxis(axis, placed, ())
    low, high = float(np.nanmin(placed)), float(np.nanmax(placed))
    distinct = np.unique(placed[np.isfinite(placed)])
    at = distinct if len(distinct) <= _FEW else np.linspace(low, high, _TICKS)
    span = (high - low) or 1.0

    def height(place: FloatArray) -> FloatArray:
        share = (place - low) / span if high > low else place * 0 + 0.5
        return 1 - share if axis.flip else share

    labels = [number_text(_rounded(10**one if axis.log else one)) for one in at.tolist()]
    return ReadAxis(axis, height(placed), list(zip(height(at).tolist(), labels, strict=True)))


def _spread(axis: ReadAxis, shares: FloatArray) -> ReadAxis:
    """Fan the lines of each level out a little, in the order of the measure: lines on each other hide."""
    places = np.unique(axis.heights[np.isfinite(axis.heights)])
    if len(places) > 2 * _FEW or not len(places):
        return axis
    room = min(_FAN, 0.5 / len(places))
    ranks = np.argsort(np.argsort(np.nan_to_num(shares, nan=-1.0), kind="stable"), kind="stable")
    middle = np.where(axis.heights == places[0], 0.0, np.where(axis.heights == places[-1], 1.0, 0.5))
    offsets = ranks / max(len(ranks) - 1, 1) - (middle if len(places) > 1 else 0.5)
    return ReadAxis(axis.axis, axis.heights + room * offsets, axis.ticks)


def _read_names(axis: Axis) -> ReadAxis:
    """Place names at even distances, numbers among them first and in their order."""
    found = {value for value in axis.values if value is not None}
    order = sorted(
        found, key=lambda one: (isinstance(one, str), 0 if isinstance(one, str) else one, str(one))
    )
    last = max(len(order) - 1, 1)
    place = {level: (last - at if axis.flip else at) / last for at, level in enumerate(order)}
    heights = np.array([np.nan if value is None else place[value] for value in axis.values])
    ticks = [(place[level], level if isinstance(level, str) else number_text(level)) for level in order]
    chosen = thinned(len(ticks), 2 * _FEW)
    return ReadAxis(axis, heights, [ticks[at] for at in chosen])


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _bins(shares: FloatArray) -> FloatArray:
    """Put shares into as many colours as can be told apart; -1 for a line without a value."""
    found = np.clip(np.nan_to_num(shares, nan=0.0) * BINS, 0, BINS - 1).astype(np.int64)
    return np.where(np.isfinite(shares), found, -1)


def _lines(
    read: Sequence[ReadAxis], names: Sequence[str], places: NDArray[np.intp], name: str, meta: dict[str, Any]
) -> dict[str, Any]:
    """Draw many lines as one trace, a gap after each."""
    width = len(read) + 1
    heights = np.full((len(places), width), np.nan)
    for column, axis in enumerate(read):
        heights[:, column] = axis.heights[places]
    lacks = np.isnan(heights[:, width - 2])
    heights[lacks, width - 2] = _BROKEN
    x = np.tile(np.r_[np.arange(len(read), dtype=np.float64), np.nan], len(places))
    said = [[_text(axis.axis.values[place]) for axis in read] + [None] for place in places]
    many = len(places) > 60
    return {
        "type": "scatter", "mode": "lines", "name": escaped(name), "legendgroup": escaped(name),
        "showlegend": meta["role"] in {"line", "faint"}, "x": numbers(x), "y": numbers(heights.ravel()),
        "ids": [escaped(names[place]) for place in places for _ in range(width)],
        "customdata": [one for line in said for one in line], "connectgaps": False,
        "line": {"width": 1 if many or meta["role"] == "ghost" else 2}, "meta": meta,
        "marker": {"size": 1}, "cliponaxis": False,
        "text": [words for line in said for words in _words(read, line)],
        "hovertemplate": "%{id}<br>%{text}<extra></extra>",
    }  # fmt: skip


def _words(read: Sequence[ReadAxis], values: Sequence[float | str | None]) -> list[str]:
    said = [value if isinstance(value, str) else number_text(value) for value in values[:-1]]
    return [*(f"{escaped(axis.axis.title)}: {one}" for axis, one in zip(read, said, strict=True)), ""]


def _text(value: float | str | None) -> float | str | None:
    return escaped(value) if isinstance(value, str) else value


def _layout(read: Sequence[ReadAxis], *, legend: bool) -> dict[str, Any]:
    """Lay the axes out: their titles below, their labels on them, as notes upon the card's colour."""
    breaks = bool(np.isnan(read[-1].heights).any())
    last = len(read) - 1
    notes = [
        {"name": "tick", "x": at, "y": height, "text": escaped(label), "showarrow": False, "borderpad": 1,
         "font": {"size": 11}, "xanchor": "left", "xshift": 5}
        for at, axis in enumerate(read)
        for height, label in _apart(axis.ticks) + [(_BROKEN, "no value")] * (breaks and at == last)
    ]  # fmt: skip
    return {
        "xaxis": {
            "tickvals": list(range(len(read))),
            "ticktext": [_broken_title(axis.axis.title) for axis in read],
            "range": [-0.03 * last, 1.01 * last], "ticklabeloverflow": "allow",
            "showgrid": False, "zeroline": False, "fixedrange": True,
        },
        "yaxis": {"visible": False, "range": [-0.14 if breaks else -0.05, 1.05], "fixedrange": True},
        "shapes": [
            {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": {"width": 1}}
            for at in range(len(read))
        ],
        "meta": {"xaxis": [escaped(axis.axis.title) for axis in read]},  # ticks break long ones in two
        "margin": {"l": 28, "r": 68}, "annotations": notes, "showlegend": legend, "hovermode": "closest",
    }  # fmt: skip


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out labels that would lie upon others; those at the ends stay."""
    kept = sorted({ticks[0], ticks[-1]}) if ticks else []
    for tick in ticks:
        if all(abs(tick[0] - other) >= _LINE for other, _ in kept):
            kept.append(tick)
    return kept


def _broken_title(title: str) -> str:
    """Break a long title in two, for the little room between axes."""
    head, space, rest = title.partition(" ")
    return f"{escaped(head)}<br>{escaped(rest)}" if space and len(title) > 10 else escaped(title)


def _summary(measure: ReadAxis, names: Sequence[str], kept: FloatArray) -> str:
    title, values = measure.axis.title, measure.axis.values
    found = [
        (float(value), place)
        for place, value in enumerate(values)
        if kept[place] and isinstance(value, int | float) and np.isfinite(value)
    ]
    text = f"{plural(int(kept.sum()), 'group')} of {len(names)} within the ranges"
    if not found:
        return f"{text}; none has a value of {title}."
    (low, lowest), (high, highest) = min(found), max(found)
    ends = [f"{number_text(low)} ({names[lowest]})", f"{number_text(high)} ({names[highest]})"]
    return f"{text}: {title} from {ends[0]} to {ends[1]}."


def _table(axes: Sequence[Axis], names: Sequence[str], places: Sequence[int]) -> Table:
    chosen = [places[at] for at in thinned(len(places))]
    rows = tuple(
        (
            names[place],
            *(
                value if isinstance(value, str) else number_text(value)
                for value in (axis.values[place] for axis in axes)
            ),
        )
        for place in chosen
    )
    note = f"{len(rows)} of {len(places)} groups" if len(rows) < len(places) else ""
    return Table(("group", *(axis.title for axis in axes)), rows, note)
