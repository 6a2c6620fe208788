"""Factors: what one knob does with the others averaged, and what two knobs do together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runs.charts.cells import Cells, cell_words, hatching, missing_words, outline, plain_rows
from runs.charts.chart import (
    Chart,
    Table,
    empty_chart,
    escaped,
    figure_of,
    large_numbers,
    number_text,
    plural,
    value_axis,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


MAX_DOTS = 150  # of a level: more are a smear
ALL_DOTS = 600  # of a chart, shared out among its levels
EXTREMES = 3  # runs to either side that are always drawn
FEW_LEVELS = 6  # have room for lines of text under each
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class LevelView:
    """One level of a factor: the mean over seeds, its interval (None for one seed), the runs behind it.

    ``plain`` is the mean of all its runs, whatever else they had.
    """

    level: str
    mean: float | None
    low: float | None
    high: float | None
    n: int
    runs: Sequence[float] = ()
    diverged: int = 0
    plain: float | None = None


def dots_of(levels: int) -> int:
    """Return how many runs of a level are drawn at most, by the number of levels."""
    return max(4 * EXTREMES, min(MAX_DOTS, ALL_DOTS // levels))


def factor_plot(
    key: str,
    title: str,
    levels: Sequence[LevelView],
    *,
    y_title: str,
    caption: str = "",
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Chart:
    """Draw a dot per level with its interval as a whisker, the runs in grey beside it, and n under it.

    Args:
        bounds: of what is possible: the axis opens no further, and resetting the zoom shows whiskers whole.
    """
    drawn = [(index, level) for index, level in enumerate(levels) if level.mean is not None]
    if not drawn:
        return Chart(key=key, title=title, empty=_nothing(levels), caption=caption)
    short = len(levels) > FEW_LEVELS
    layout = {
        "xaxis": {
            "title": {"text": "(seeds, ✗ where runs diverged)" if short else ""},
            "tickvals": list(range(len(levels))),
            "ticktext": [_tick(level, short=short) for level in levels],
            "ticklabeloverflow": "allow",  # else the last of many levels would have none
            "range": [-0.6, len(levels) - 0.4],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        "yaxis": value_axis(y_title, np.array([level.mean for _, level in drawn], dtype=np.float64))
        | _opening(levels, bounds),
        "meta": {"xaxis": [escaped(level.level) for level in levels]},  # a tick says more than the level
        "showlegend": False,
        "hovermode": "closest",
    }
    return Chart(
        key=key,
        title=title,
        figure=figure_of([_run_dots(levels), _mean_dots(drawn)], layout),
        summary=_factor_summary(levels, y_title),
        caption=caption,
        table=_factor_table(title, levels, y_title),
        height="low",
    )


def grid_heatmap(  # noqa: PLR0913 - three tables and their two axes belong together
    key: str,
    title: str,
    rows: Sequence[object],
    columns: Sequence[object],
    means: ArrayLike,
    sds: ArrayLike,
    counts: ArrayLike,
    *,
    row_title: str,
    column_title: str,
    better: Literal["higher", "lower"],
    y_title: str = "mean",
) -> Chart:
    """Draw the mean of every cell of two knobs, with its standard deviation and n; empty cells are hatched.

    Shapes: means, sds and counts (rows, columns); NaN where nothing was run (or, for sds, one seed only).

    Raises:
        ValueError: for shapes that do not fit, and for a ``better`` that is neither higher nor lower.
    """
    if better not in {"higher", "lower"}:
        raise ValueError(f"expected better to be 'higher' or 'lower', got {better!r}")
    cells = Cells.read((len(rows), len(columns)), means, sds, counts)
    if not np.isfinite(cells.means).any():
        return empty_chart(key, title, "No finished run yet in any cell.")
    best = cells.best(better)
    layout = {
        "xaxis": _grid_axis(column_title, columns),
        "yaxis": _grid_axis(row_title, rows),
        "shapes": [*hatching(cells.means), outline(best)],
        "annotations": missing_words(cells.means, cells.counts),
        "showlegend": False,
        "hovermode": "closest",
    }
    return Chart(
        key=key,
        title=title,
        figure=figure_of([_grid_trace(cells, y_title, better), cell_words(cells, better)], layout),
        summary=_grid_summary(cells, rows, columns, row_title, column_title, best),
        table=_grid_table(cells, rows, columns, row_title, column_title),
        height="square",
    )


def _nothing(levels: Sequence[LevelView]) -> str:
    if any(level.runs for level in levels):
        return "No setting was run at every level of this factor, so no mean would be fair."
    return "No finished run yet at any level of this factor."


def _tick(level: LevelView, *, short: bool) -> str:
    """Write what stands under a level; short, in one line that can be turned, where there are many."""
    name = escaped(level.level)
    if short:
        return f"{name} ({level.n}{', ✗' * bool(level.diverged)})"
    lines = [name, plural(level.n, "seed")]
    if level.diverged:
        lines.append(f"{level.diverged} diverged")
    return "<br>".join(lines)


def _run_dots(levels: Sequence[LevelView]) -> dict[str, Any]:
    """Spread the runs of a level sideways, evenly and as if by chance, so that equal values stay visible."""
    x: list[float] = []
    y: list[float] = []
    for index, level in enumerate(levels):
        values = _thinned(level.runs, dots_of(len(levels)))
        x += [round(index + 0.14 + 0.2 * (place * _GOLDEN % 1), 3) for place in range(len(values))]
        y += [float(f"{value:.7g}") for value in values]
    return {
        "type": "scatter", "mode": "markers", "name": "runs", "x": x, "y": y, "marker": {"size": 5},
        "hovertemplate": "one run: %{y:.5~g}<extra></extra>", "meta": {"role": "muted"},
    }  # fmt: skip


def _thinned(runs: Sequence[float], most: int) -> list[float]:
    """Return the runs of a level; of very many the outermost, and an even choice of those between."""
    values = np.array([value for value in runs if np.isfinite(value)], np.float64)
    if len(values) <= most:
        return list(map(float, values))
    inner = np.linspace(EXTREMES, len(values) - 1 - EXTREMES, most - 2 * EXTREMES).round().astype(int)
    outer = np.arange(EXTREMES)
    chosen: list[float] = np.sort(values)[np.concatenate([outer, inner, len(values) - 1 - outer])].tolist()
    return chosen


def _opening(levels: Sequence[LevelView], bounds: tuple[float, float]) -> dict[str, Any]:
    """Let the axis end where nothing is possible, if a whisker reaches beyond."""
    ends = [end for level in levels for end in (level.low, level.high) if end is not None]
    if all(bounds[0] <= end <= bounds[1] for end in ends):
        return {}
    values = np.clip([*ends, *(run for level in levels for run in level.runs)], *bounds)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.04 * (high - low)  # for half a dot
    return {"range": [low - room, high + room]}


def _mean_dots(drawn: Sequence[tuple[int, LevelView]]) -> dict[str, Any]:
    up, down = (
        [None if end is None or level.mean is None else abs(end - level.mean) for end, level in ends]
        for ends in ([(one.high, one) for _, one in drawn], [(one.low, one) for _, one in drawn])
    )
    words = [
        f"{escaped(level.level)}: {number_text(level.mean)}, {plural(level.n, 'seed')}"
        f"<br>{_interval_text(level)}"
        for _, level in drawn
    ]
    return {
        "type": "scatter", "mode": "markers", "name": "mean", "x": [index for index, _ in drawn],
        "y": [level.mean for _, level in drawn], "marker": {"size": 10}, "text": words,
        "error_y": {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "width": 5,
                    "thickness": 2},
        "hovertemplate": "%{text}<extra></extra>", "meta": {"series": 0, "role": "mean"},
    }  # fmt: skip


def _interval_text(level: LevelView) -> str:
    if level.low is None or level.high is None:
        return "one seed: no interval"
    return f"95 % interval {number_text(level.low)} to {number_text(level.high)}"


def _interval_words(level: LevelView) -> str:
    """Write an interval beside its mean."""
    if level.low is None or level.high is None:
        return ""
    return f", 95 % interval {number_text(level.low)} to {number_text(level.high)}"


def _factor_summary(levels: Sequence[LevelView], y_title: str) -> str:
    drawn = sorted((level for level in levels if level.mean is not None), key=lambda level: level.mean or 0.0)
    low, high = drawn[0], drawn[-1]
    ends = [f"{one.level} ({number_text(one.mean)}{_interval_words(one)})" for one in (high, low)]
    text = f"Mean {y_title} is highest at {ends[0]} and lowest at {ends[1]}."
    diverged = sum(level.diverged for level in levels)
    if not diverged:
        return text
    verb = "is" if diverged == 1 else "are"
    return f"{text} {plural(diverged, 'run')} diverged and {verb} not in the means."


def _factor_table(title: str, levels: Sequence[LevelView], y_title: str) -> Table:
    rows = tuple(
        (v.level, *map(number_text, (v.mean, v.low, v.high, v.plain)), str(v.n), str(v.diverged))
        for v in levels
    )
    names = ("95 % low", "95 % high", "mean of all runs", "seeds", "diverged")
    return Table((title, f"mean {y_title}", *names), rows)


def _grid_axis(title: str, levels: Sequence[object]) -> dict[str, Any]:
    return {
        "title": {"text": title}, "tickvals": list(range(len(levels))),
        "ticktext": [escaped(level) for level in levels], "range": [-0.5, len(levels) - 0.5],
        "showgrid": False, "zeroline": False, "fixedrange": True,
    }  # fmt: skip


def _grid_trace(cells: Cells, y_title: str, better: str) -> dict[str, Any]:
    rows, columns = cells.means.shape
    return {
        "type": "heatmap", "x": list(range(columns)), "y": list(range(rows)), "z": plain_rows(cells.means),
        "text": [[cells.text(row, column) for column in range(columns)] for row in range(rows)],
        "xgap": 2, "ygap": 2, "hoverongaps": False,
        "reversescale": better == "lower",
        "colorbar": {"thickness": 10, "title": {"text": y_title, "side": "right"}}
        | large_numbers(cells.means),
        "hovertemplate": "%{text}<extra></extra>", "meta": {"role": "heat"},
    }  # fmt: skip


def _grid_summary(
    cells: Cells,
    rows: Sequence[object],
    columns: Sequence[object],
    row_title: str,
    column_title: str,
    best: tuple[int, int],
) -> str:
    text = (
        f"Best at {row_title} {rows[best[0]]}, {column_title} {columns[best[1]]}:"
        f" {cells.text(*best).replace('<br>', ', ')} (outlined)."
    )
    missing = int((~np.isfinite(cells.means)).sum())
    return text + (f" {plural(missing, 'cell')} without a finished run." if missing else "")


def _grid_table(
    cells: Cells, rows: Sequence[object], columns: Sequence[object], row_title: str, column_title: str
) -> Table:
    body = tuple(
        (str(name), *(cells.text(r, c).replace("<br>", ", ") or "not run" for c in range(len(columns))))
        for r, name in enumerate(rows)
    )
    return Table((f"{row_title} \\ {column_title}", *(str(name) for name in columns)), body)
