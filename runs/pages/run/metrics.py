"""The metrics of a run: one chart each, against steps, epochs, time or examples, smoothed if wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.http import QueryDict

from nnlab.series.batch import CLOCK
from nnlab.series.smoothing import smoothed
from nnlab.series.window import window
from runs.charts.chart import Chart, Mark
from runs.charts.curves import Line, curves
from runs.models import Run, Series, Source
from runs.pages.formats import is_share, least_span, metric_title
from runs.pages.run.charts import COLUMNS, drawable, line_of, read_run, spans_decades, spread, title_of
from runs.pages.run.redrawing import cursor_of, redrawn
from runs.pages.run.view import RunPage
from runs.reading.clocks import AXES, STEPS, Axis, axis_of
from runs.reading.series import Points, read_series
from runs.reading.windows import SeriesWindow

KNOWN = ("x", "smooth", "ylog", "q", "page", "step")
PER_PAGE = 12
MAX_LAYERS = 12  # lines of one chart
MAX_SMOOTH = 0.999
MAX_SMOOTHED = 4_000_000  # points of one page: every one of them is read
_LOG = {"auto": None, "1": True, "0": False}


@dataclass(frozen=True)
class View:
    """How the metrics are shown.

    Args:
        log: None chooses for each chart by its values.
    """

    axis: Axis
    smooth: float
    log: bool | None
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Pages:
    """Which of the metrics are on this page, and where the others are."""

    names: Sequence[str]
    number: int
    of: int
    count: int
    previous: str
    next: str


def show(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the metrics needs."""
    axis = page.choice("x", AXES, "step")
    log = page.choice("ylog", _LOG, "auto")
    view, metrics = _view(page), _metrics(page.run)
    pages = _pages(page, metrics)
    return {
        "charts": list(_charts(page.run, view, {name: metrics[name] for name in pages.names}).values()),
        "pages": pages,
        "metrics": len(metrics),
        "axis": axis,
        "axes": AXES,
        "smooth": view.smooth,
        "ylog": log,
        "note": view.axis.note,
        "q": page.query.get("q", ""),
        "cursor": cursor_of(page.run),
    }


def news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the charts of this page again where points came."""

    def draw() -> Mapping[str, Chart]:
        metrics = _metrics(page.run)
        shown = {name: metrics[name] for name in _pages(page, metrics).names}
        return _charts(page.run, _view(page), shown)

    return redrawn(page.run, after, draw), {}


def _view(page: RunPage) -> View:
    name = page.choice("x", AXES, "step")
    axis = axis_of(page.run, name)
    if axis is None:
        page.warn(f"x={name}: not known of this run; its steps are shown")
    axis = axis or STEPS
    marks = page.view(page.step).marks
    places = axis.of([mark.step for mark in marks])
    moved = [mark._replace(step=place) for mark, place in zip(marks, places.tolist(), strict=True)]
    log = _LOG[page.choice("ylog", _LOG, "auto")]
    return View(axis, page.share("smooth", MAX_SMOOTH), log, marks if axis is STEPS else moved)


def _metrics(run: Run) -> dict[str, list[int]]:
    """Return the layers of each metric, the headline first; of the engine's runs those of whole runs."""
    rows = Series.objects.filter(run=run).exclude(metric=CLOCK[0]).order_by("number")
    if run.source == Source.ENGINE:
        rows = rows.filter(layer=None)
    found: dict[str, list[int]] = {}
    for metric, layer in rows.values_list("metric", "layer"):
        found.setdefault(metric, []).extend([] if layer is None else [layer])
    first = [run.headline] if run.headline in found else []
    return {metric: found[metric] for metric in dict.fromkeys([*first, *found])}


def _pages(page: RunPage, metrics: Mapping[str, object]) -> Pages:
    wanted = page.query.get("q", "").lower()
    names = [name for name in metrics if wanted in name.lower() or wanted in metric_title(name).lower()]
    of = max(1, -(-len(names) // PER_PAGE))
    number = min(page.whole("page", 1) or 1, of)
    chosen = names[(number - 1) * PER_PAGE : number * PER_PAGE]

    def address(other: int) -> str:
        query = QueryDict(mutable=True)
        query.update(
            {name: page.query[name] for name in KNOWN if page.query.get(name)} | {"page": str(other)}
        )
        return f"?{query.urlencode()}" if 1 <= other <= of else ""

    return Pages(chosen, number, of, len(names), address(number - 1), address(number + 1))


def _charts(run: Run, view: View, metrics: Mapping[str, Sequence[int]]) -> dict[str, Chart]:
    """Draw metrics: all of them are read at once, but for those of more layers than a chart can show."""
    few = [name for name, layers in metrics.items() if len(layers) <= MAX_LAYERS]
    windows = read_run(run, few)
    for name in metrics.keys() - set(few):
        windows += read_run(run, [name], spread(metrics[name], MAX_LAYERS))
    points = _points(run, windows) if view.smooth else {}
    charts = {}
    for name, layers in metrics.items():
        own = [found for found in windows if found.metric == name]
        if own:
            chart = drawable(_chart(view, name, own, len(layers), points), is_over=run.is_over)
            charts[chart.key] = chart
    return charts


def _points(run: Run, windows: Sequence[SeriesWindow]) -> dict[int, Points]:
    """Read every point of as many metrics as one page may smooth, by the number of the series."""
    left, names = MAX_SMOOTHED, []
    for metric in dict.fromkeys(found.metric for found in windows):
        count = sum(found.read.points for found in windows if found.metric == metric)
        if count <= left:
            left -= count
            names.append(metric)
    return {found.number: found for found in read_series([run.pk], names)} if names else {}


def _chart(
    view: View,
    metric: str,
    windows: Sequence[SeriesWindow],
    layers: int,
    points: Mapping[int, Points],
) -> Chart:
    raw = [
        line_of(metric_title(metric) if found.layer is None else f"layer {found.layer}", found, series=place)
        for place, found in enumerate(windows)
    ]
    caption = view.axis.note
    lines = raw
    if view.smooth:
        if not all(found.number in points for found in windows):
            caption = f"Not smoothed: the charts of a page are smoothed up to {MAX_SMOOTHED:,} points in all."
        else:
            lines = [*_faint(raw), *_smooth(view.smooth, raw, [points[found.number] for found in windows])]
            caption = f"{caption} Smoothed by {view.smooth:g} over every point; the raw line is pale.".strip()
    title = title_of(metric)
    if layers > MAX_LAYERS:
        title = f"{title}, {MAX_LAYERS} of {layers} layers"
    chart = curves(
        f"metric-{windows[0].number}",
        title,
        [_on(view.axis, line) for line in lines],
        x_title=view.axis.title,
        y_title=metric_title(metric.rpartition("/")[2]),
        log_y=spans_decades(line.y for line in raw) if view.log is None else view.log,
        least_span=least_span(metric) if is_share(metric) else None,
        percent=is_share(metric),
        marks=view.marks,
    )
    return replace(chart, caption=caption)


def _faint(lines: Sequence[Line]) -> Iterator[Line]:
    for line in lines:
        yield replace(line, faint=True)


def _smooth(weight: float, raw: Sequence[Line], points: Sequence[Points]) -> Iterator[Line]:
    """Smooth every point of a metric, and then keep what a screen can show."""
    for line, found in zip(raw, points, strict=True):
        kept = window(found.steps, smoothed(found.values, weight), 2 * COLUMNS)
        x = np.concatenate([kept.steps, kept.nonfinite_steps])
        y = np.concatenate([kept.values, kept.nonfinite_values])
        order = np.argsort(x, kind="stable")
        yield replace(line, x=x[order], y=y[order], source=None, ends=None)


def _on(axis: Axis, line: Line) -> Line:
    """Move a line to another axis; the browser can look closer only where steps are shown."""
    return line if axis is STEPS else replace(line, x=axis.of(line.x), source=None)
