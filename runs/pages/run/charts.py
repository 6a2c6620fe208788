"""The charts of one run: built whole for the page, and by new points while it trains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from runs.charts.chart import Chart, Mark, step_text
from runs.charts.curves import Line, curves
from runs.charts.layers import MEASURES, layer_heatmap, layer_lines
from runs.models import Alert, Run
from runs.pages.formats import is_share, least_span, metric_title, sentence, unit_of
from runs.reading.series import Points
from runs.reading.windows import SeriesWindow, layer_table, read_windows
from runs.store.numbers import MAX_SERIES

COLUMNS = 500  # of one line, each with its lowest and highest value; a screen shows no more
MAP_COLUMNS = 300
GRADIENT = "gradient_rms"
_MAY_DIE = frozenset({"relu", "relu6"})


@dataclass(frozen=True)
class RunView:
    """What the charts need to know of a run, besides its points."""

    headline: str
    unit: str
    layer_names: Sequence[str]
    measure: str
    marks: Sequence[Mark]
    is_over: bool

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the charts show."""
        wanted = ("train_loss", "val_loss", self.headline, GRADIENT, self.measure)
        return tuple(dict.fromkeys(metric for metric in wanted if metric))


def view_of(run: Run, alerts: Sequence[Alert], measure: str, step: int | None = None) -> RunView:
    """Describe a run for its charts; an unknown measure gives the default one.

    Args:
        step: marked in every chart as the step that is looked at.
    """
    cursor = [] if step is None else [Mark(step, "the step looked at", "cursor")]
    return RunView(
        headline=run.headline,
        unit=unit_of(run.headline, run.info.get("target_unit", "")),
        layer_names=run.info.get("layer_names", ()),
        measure=measure if measure in MEASURES else _default_measure(run),
        marks=[*cursor, *(mark for alert in alerts if not alert.is_muted for mark in _marks(alert))],
        is_over=run.is_over,
    )


def _marks(alert: Alert) -> Iterator[Mark]:
    """Mark where an alert opened and where it resolved."""
    name = alert.check_id.replace("_", " ")
    first = f", first seen at step {step_text(alert.first_step)}"
    note = alert.severity + (first if alert.first_step != alert.opened_step else "")
    yield Mark(alert.opened_step, name, alert.severity, note)
    if alert.resolved_step is not None:
        yield Mark(alert.resolved_step, f"{name} resolved", "resolved")


def title_of(metric: str) -> str:
    """Write a metric's title over its chart; a path, as val/loss is one, stays as it is."""
    return metric if "/" in metric else sentence(metric_title(metric))


def spans_decades(lines: Iterable[ArrayLike]) -> bool:
    """Whether positive values differ by a factor of 1,000 or more, so that only a log axis shows them all."""
    values = np.concatenate([np.zeros(0), *(np.asarray(line, np.float64) for line in lines)])
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() >= 1000 * finite.min())


def spread(layers: Sequence[int], most: int) -> list[int]:
    """Choose layers evenly, the first and the last among them; few of them all."""
    if len(layers) <= most:
        return list(layers)
    last = len(layers) - 1
    return [layers[round(place * last / (most - 1))] for place in range(most)]


def read_run(run: Run, metrics: Collection[str], layers: Collection[int] | None = None) -> list[SeriesWindow]:
    """Read what the charts of a run show, however long it is: of metrics of layers some or all of them."""
    return read_windows([run.pk], metrics, columns=COLUMNS, layers=layers, most=MAX_SERIES)


def run_charts(view: RunView, windows: Sequence[SeriesWindow]) -> dict[str, Chart]:
    """Draw the charts of a run's page, by key."""
    of_run = {series.metric: series for series in windows if series.layer is None}
    charts = [
        _loss(view, of_run),
        _headline(view, of_run),
        gradient_lines(view, windows),
        health_map(view, windows, "health"),
    ]
    return {chart.key: drawable(chart, is_over=view.is_over) for chart in charts}


def appended(view: RunView, news: Sequence[Points]) -> dict[str, list[list[list[float]] | None]]:
    """Write new points for the charts that grow: x and y for each line, None where none is new."""
    of_run = {series.metric: series for series in news if series.layer is None}
    gradients = {series.layer: series for series in news if series.metric == GRADIENT}
    names = range(_layer_count(view, list(gradients)))
    growing = {
        "loss": [of_run.get("train_loss"), of_run.get("val_loss")],
        "headline": [of_run.get(view.headline)],
        "gradients": [gradients.get(layer) for layer in names],
    }
    return {
        key: [None if line is None else [line.steps.tolist(), line.values.tolist()] for line in lines]
        for key, lines in growing.items()
        if any(line is not None for line in lines)
    }


def _loss(view: RunView, of_run: Mapping[str, SeriesWindow]) -> Chart:
    lines = [
        line_of("training loss", of_run.get("train_loss"), series=0),
        line_of("validation loss", of_run.get("val_loss"), series=1),
    ]
    is_wide = spans_decades(line.y for line in lines)
    return curves("loss", "Loss", lines, y_title="loss", log_y=is_wide, marks=view.marks)


def _headline(view: RunView, of_run: Mapping[str, SeriesWindow]) -> Chart:
    title = metric_title(view.headline) or "validation score"
    y_title = f"{title} ({view.unit})" if view.unit else title
    lines = [line_of(title, of_run.get(view.headline), series=1)]
    return curves(
        "headline",
        sentence(title),
        lines,
        y_title=y_title,
        least_span=least_span(view.headline),
        percent=is_share(view.headline),
        marks=view.marks,
    )


def gradient_lines(view: RunView, windows: Sequence[SeriesWindow]) -> Chart:
    """Draw the gradient of each layer over the steps, one line a layer."""
    by_layer = {window.layer: window for window in _of_layers(windows, GRADIENT)}
    names = names_of(view, [layer for layer in by_layer if layer is not None])
    lines = [line_of(name, by_layer.get(layer), series=layer) for layer, name in enumerate(names)]
    title = "Gradient of each layer"
    return layer_lines("gradients", title, lines, y_title="gradient RMS", marks=view.marks)


def health_map(view: RunView, windows: Sequence[SeriesWindow], key: str) -> Chart:
    """Draw the view's measure as a heat map of layer by step."""
    layers, table = layer_table(_of_layers(windows, view.measure), MAP_COLUMNS)
    names = names_of(view, layers)
    full = np.full((len(names), len(table.steps)), np.nan)
    full[layers] = table.mean
    title = f"Layer health: {metric_title(view.measure)}"
    return layer_heatmap(key, title, names, table.steps, full, measure=view.measure, marks=view.marks)


def line_of(name: str, window: SeriesWindow | None, *, series: int) -> Line:
    """Draw a window as a line; where it cannot show every point, the browser learns whose they are."""
    if window is None:
        return Line(name, np.zeros(0), np.zeros(0), series=series)
    is_thinned = window.read.points > 2 * window.columns
    source = (window.run_id, window.metric, window.layer) if is_thinned else None
    return Line(name, *window.drawn(), series=series, ends=window.ends, source=source)


def _of_layers(windows: Sequence[SeriesWindow], metric: str) -> list[SeriesWindow]:
    return [window for window in windows if window.metric == metric and window.layer is not None]


def names_of(view: RunView, layers: Sequence[int]) -> list[str]:
    """Name the layers from the first to the last that has a value; the output has no dead units, for one."""
    count = max(layers, default=-1) + 1
    known = list(view.layer_names)[:count]
    return known + [f"layer {index + 1}" for index in range(len(known), count)]


def _layer_count(view: RunView, layers: Sequence[int | None]) -> int:
    return max([len(view.layer_names), *(layer + 1 for layer in layers if layer is not None)])


def _default_measure(run: Run) -> str:
    """Choose what tells most: whether units die, where they can; else how large the gradients are."""
    activations = set(run.info.get("activations", ())[:-1])
    return "dead_share" if activations & _MAY_DIE else GRADIENT


def drawable(chart: Chart, *, is_over: bool) -> Chart:
    """Give a chart without points its axes while the run goes on, so that the first point can be drawn."""
    if not chart.empty:
        return replace(chart, summary=sentence(chart.summary))
    if is_over:
        return replace(chart, empty="This run has no value for it.")
    return replace(chart, empty="", summary=chart.empty, figure={"data": [], "layout": {}})
