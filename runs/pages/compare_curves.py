"""Curves of a comparison: a line for each group, averaged over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnlab.stats.groups import GroupCurve, group_curves
from runs.charts.chart import Chart, empty_chart
from runs.charts.curves import Line, curves
from runs.pages.compare_view import CompareView
from runs.pages.comparison import Comparison, Group, level_text
from runs.pages.formats import is_share, least_span, metric_title, sentence
from runs.pages.run_charts import spans_decades
from runs.reading.windows import MAX_SERIES, SeriesWindow, block_means, read_windows

MAX_GROUPS = 12  # lines with a band in one chart
MAX_BANDS = 6  # groups whose bands can still be told apart
MAX_FACETS = 8
MAX_FAINT = 40  # raw runs behind the means, all charts of the page together
BLOCKS = 150  # steps of a curve that has a point at every step
_DASHES = ("solid", "dash", "dot", "dashdot")
_EVERY_STEP = 400  # points of a series from which it is averaged over blocks


def curves_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Read the curves and build the tab of them."""
    windows = read_curves([member.run.pk for member in comparison.members], comparison.metric)
    return {"curves": curve_charts(comparison, windows, colour=view.color, facet=view.facet)}


def read_curves(run_ids: Sequence[int], metric: str) -> list[SeriesWindow]:
    """Read what the curves need: at least two columns a block, however long the runs are."""
    batches = (run_ids[start : start + MAX_SERIES] for start in range(0, len(run_ids), MAX_SERIES))
    return [
        window for batch in batches for window in read_windows(batch, [metric], columns=2 * BLOCKS, layers=())
    ]


def curve_charts(
    comparison: Comparison, windows: Sequence[SeriesWindow], *, colour: str, facet: str
) -> list[Chart]:
    """Draw the metric over steps: a line for each group, in small multiples where a facet is chosen.

    Args:
        comparison: the runs under one metric.
        windows: the metric's series, one a run.
        colour: a factor whose levels share a colour; empty for a colour a group.
        facet: a factor with a chart for each of its levels; empty for one chart.
    """
    by_run = {series.run_id: _trained(series) for series in windows if len(series.read)}
    thinned = _thinned(by_run)
    levels = comparison.factors.get(facet, ())[:MAX_FACETS] if facet else [None]
    charts = []
    for place, level in enumerate(levels):
        groups = [group for group in comparison.groups if level is None or group.levels[facet] == level]
        title = f"{sentence(metric_title(comparison.metric))} over steps"
        if level is not None:
            title = sentence(f"{facet.replace('_', ' ')} {level_text(facet, level)}")
        faint = MAX_FAINT // len(levels)
        charts.append(
            _curves(f"curves-{place}", title, comparison, groups, thinned, colour, faint, small=bool(facet))
        )
    return _on_one_scale(charts) if facet else charts


def _trained(window: SeriesWindow) -> SeriesWindow:
    """Leave out step 0 where later steps are known: an untrained network would set the scale of the axis."""
    read = window.read
    if read.first_steps[0] > 0 or read.last_steps[0] > 0 or len(read) < 2:
        return window
    return replace(window, read=read[1:])


def _thinned(by_run: Mapping[int, SeriesWindow]) -> dict[int, tuple[Any, Any]]:
    """Put curves with a point at every step on common blocks; others keep their steps."""
    read = {run_id: window.read for run_id, window in by_run.items()}
    if max((one.points for one in read.values()), default=0) < _EVERY_STEP:
        return {run_id: (one.first_steps, one.mean) for run_id, one in read.items()}
    last = max(int(one.last_steps[-1]) for one in read.values())
    first = min(int(one.first_steps[0]) for one in read.values()) - 1
    edges = np.unique(np.linspace(first, last, BLOCKS + 1).round().astype(np.int64))
    return {run_id: block_means(one, edges) for run_id, one in read.items()}


def _curves(
    key: str,
    title: str,
    comparison: Comparison,
    groups: Sequence[Group],
    series: Mapping[int, tuple[Any, Any]],
    colour: str,
    faint: int,
    *,
    small: bool,
) -> Chart:
    shown = [group for group in groups if any(member.run.pk in series for member in group.members)]
    if not shown:
        return empty_chart(key, title, "No point yet for these runs.")
    drawn = shown[:MAX_GROUPS]
    found = group_curves(
        (group.label, member.run.seed, *series[member.run.pk])
        for group in drawn
        for member in group.members
        if member.run.pk in series
    )
    of_label = {curve.group: curve for curve in found}
    styles = _styles(drawn, comparison.factors.get(colour, ()), colour)
    raw = _raw_lines(drawn, series, styles)
    lines = raw if len(raw) <= faint else []
    log_y = spans_decades(curve.mean for curve in found)
    banded = len(drawn) <= MAX_BANDS
    lines += [
        _mean_line(of_label[group.label], *style, banded=banded, log_y=log_y)
        for group, style in zip(drawn, styles, strict=True)
    ]
    chart = curves(key, title, lines, **_axis(comparison, log_y=log_y))
    return replace(chart, caption=_curve_caption(found, len(shown)), height="normal" if small else "tall")


def _on_one_scale(charts: Sequence[Chart]) -> list[Chart]:
    """Give small multiples one range of values: the eye compares heights, whatever the ticks say."""
    axes = [chart.figure["layout"]["yaxis"] for chart in charts if chart.figure]
    ranges = [axis["range"] for axis in axes if "range" in axis]
    if any(axis.get("type") == "log" for axis in axes) or not ranges:
        return list(charts)
    shared = {"range": [min(low for low, _ in ranges), max(high for _, high in ranges)]}
    return [_with_axis(chart, shared) if chart.figure else chart for chart in charts]


def _with_axis(chart: Chart, change: Mapping[str, Any]) -> Chart:
    layout = chart.figure["layout"]
    return replace(chart, figure=chart.figure | {"layout": layout | {"yaxis": layout["yaxis"] | change}})


def _axis(comparison: Comparison, *, log_y: bool) -> dict[str, Any]:
    """Describe the axis of curves, whose values stay as they were stored."""
    percent = is_share(comparison.metric)
    return {
        "y_title": metric_title(comparison.metric) if percent else comparison.value_title,
        "log_y": log_y,
        "least_span": least_span(comparison.metric),
        "percent": percent and not log_y,
    }


def _styles(groups: Sequence[Group], levels: Sequence[Any], colour: str) -> list[tuple[int, Any]]:
    """Choose a colour and a dash for each group; groups that share a colour differ by their dash."""
    if not levels:
        return [(place, "solid") for place in range(len(groups))]
    places = [list(levels).index(group.levels[colour]) for group in groups]
    return [
        (place, _DASHES[places[:index].count(place) % len(_DASHES)]) for index, place in enumerate(places)
    ]


def _raw_lines(
    groups: Sequence[Group], series: Mapping[int, tuple[Any, Any]], styles: Sequence[tuple[int, Any]]
) -> list[Line]:
    """Draw the single runs, to stand behind their means."""
    return [
        Line(member.run.name, *series[member.run.pk], series=style[0], faint=True)
        for group, style in zip(groups, styles, strict=True)
        for member in group.members
        if len(group.members) > 1 and member.run.pk in series
    ]


def _mean_line(curve: GroupCurve, colour: int, dash: Any, *, banded: bool, log_y: bool) -> Line:
    """Draw a mean with its band; a band that reaches 0 has no place on a log axis and is left out."""
    band = banded and bool(np.isfinite(curve.low).any()) and not (log_y and bool((curve.low <= 0).any()))
    seeds = f"n = {curve.seeds}" + (f", {curve.diverged} diverged" if curve.diverged else "")
    name = f"{curve.group} ({seeds})"
    low, high = (curve.low, curve.high) if band else (None, None)
    return Line(name, curve.steps, curve.mean, low, high, series=colour, dash=dash)


def _curve_caption(found: Sequence[GroupCurve], groups: int) -> str:
    several = any(curve.seeds > 1 for curve in found)
    text = "One seed: no interval."
    if several:
        band = "band: 95 % t interval" if len(found) <= MAX_BANDS else "no bands for so many groups"
        text = f"Line: mean over seeds; {band}; pale: single runs."
    text += " The untrained network, step 0, is left out."
    if groups > len(found):
        text += f" The best {len(found)} of {groups} groups are drawn; the list of groups has them all."
    return text
