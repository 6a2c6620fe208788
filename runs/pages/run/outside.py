"""The charts of a run that a program outside trains: one a metric, whatever it logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.series.batch import CLOCK
from runs.charts.chart import Chart
from runs.charts.curves import curves
from runs.models import Ledger, Run, Series
from runs.pages.formats import is_share, metric_title
from runs.pages.run.charts import line_of, read_run, spans_decades, spread, title_of
from runs.pages.run.redrawing import cursor_of, redrawn
from runs.reading.windows import SeriesWindow

MAX_CHARTS = 24
FEW_VALUES = 4  # shown as figures, beside the headline
MAX_LAYERS = 12  # lines of one chart


@dataclass(frozen=True)
class Section:
    """Charts of metrics whose names begin alike: those of ``val/loss`` and ``val/accuracy`` under val."""

    title: str
    charts: Sequence[Chart]


@dataclass(frozen=True)
class Gallery:
    """What the page shows of a run's metrics.

    Args:
        others: names of the metrics that are not drawn.
        cursor: names the state that is drawn; see ``news``.
    """

    sections: Sequence[Section]
    others: Sequence[str]
    cursor: str


def gallery(run: Run) -> Gallery:
    """Draw a run's metrics: the headline first, then in the order in which they appeared."""
    metrics = _metrics(run)
    shown = list(metrics)[:MAX_CHARTS]
    sections: dict[str, list[Chart]] = {}
    for metric in shown:
        if windows := read_run(run, [metric], spread(sorted(metrics[metric]), MAX_LAYERS)):
            title = metric.rpartition("/")[0]
            sections.setdefault(title, []).append(_chart(metric, windows, len(metrics[metric])))
    return Gallery(
        [Section(title, charts) for title, charts in sections.items()],
        list(metrics)[MAX_CHARTS:],
        cursor_of(run),
    )


def news(run: Run, cursor: str) -> dict[str, Any]:
    """Return the charts again where points came since the cursor; while a run goes on, every few seconds."""
    return redrawn(
        run,
        cursor,
        lambda: {chart.key: chart for section in gallery(run).sections for chart in section.charts},
    )


def _metrics(run: Run) -> dict[str, list[int]]:
    """Return the layers of each metric; those of the whole run have none."""
    rows = Series.objects.filter(run=run).exclude(metric=CLOCK[0]).order_by("number")
    found: dict[str, list[int]] = {}
    for metric, layer in rows.values_list("metric", "layer"):
        found.setdefault(metric, []).extend([] if layer is None else [layer])
    headline = [run.headline] if run.headline in found else []
    return {metric: found[metric] for metric in dict.fromkeys([*headline, *found])}


def _chart(metric: str, windows: Sequence[SeriesWindow], layers: int) -> Chart:
    lines = [
        line_of(metric if window.layer is None else f"layer {window.layer}", window, series=place)
        for place, window in enumerate(windows)
    ]
    title = title_of(metric)
    if layers > MAX_LAYERS:
        title = f"{title}, {MAX_LAYERS} of {layers} layers"
    return curves(
        f"metric-{windows[0].number}",
        title,
        lines,
        y_title=metric_title(metric.rpartition("/")[2]),
        log_y=spans_decades(line.y for line in lines),
        percent=is_share(metric),
    )


def facts(run: Run) -> Mapping[str, Any]:
    """Return what is known of a run's points: how many, what they cost, and what was left out."""
    ledger = Ledger.objects.filter(run=run).first()
    stored = sum(Series.objects.filter(run=run).values_list("points", flat=True))
    pending = ledger.pending_points if ledger else 0
    return {
        "ledger": ledger,
        "points": stored + pending,
        "values": [item for item in run.summary.items() if item[0] != run.headline][:FEW_VALUES],
        "kept": f"one step in {ledger.kept_one_in:,}" if ledger and ledger.thinned else "",
    }
