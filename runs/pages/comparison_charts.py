"""The charts of a comparison: curves over seeds, a plot for each factor, a map of two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnlab.stats.factors import FactorEffect, LevelEffect, factor_effects
from nnlab.stats.groups import GroupCurve, group_curves
from runs.charts.chart import Chart, empty_chart
from runs.charts.curves import Line, curves
from runs.charts.factors import LevelView, factor_plot, grid_heatmap
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
_PAIRS = (("depth", "width"), ("depth", "activation"), ("width", "activation"), ("depth", "dropout"))


@dataclass(frozen=True)
class FactorSection:
    """A factor as the page shows it: a chart, or why there is none."""

    factor: str
    chart: Chart | None
    note: str


def value_title(comparison: Comparison) -> str:
    """Name the metric with its unit."""
    title = metric_title(comparison.metric)
    unit = "%" if is_share(comparison.metric) else comparison.unit
    return f"{title} ({unit})" if unit else title


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


def factor_sections(comparison: Comparison) -> list[FactorSection]:
    """Draw what each factor does with the others averaged."""
    return [_factor(comparison, factor) for factor in comparison.factors]


def grid(comparison: Comparison) -> Chart | None:
    """Draw a map of two factors that were both varied: depth and width first; None where there are none."""
    varied = set(comparison.varied)
    pair = next((pair for pair in _PAIRS if varied.issuperset(pair)), None)
    if pair is None:
        return None
    row, column = pair
    rows, columns = comparison.factors[row], comparison.factors[column]
    scale = _scale(comparison)
    cells: dict[tuple[Any, Any], list[float | None]] = {}
    for member in comparison.members:
        if member.counts:
            value = None if member.value is None else member.value * scale
            cells.setdefault((member.levels[row], member.levels[column]), []).append(value)
    means, sds, counts = (np.full((len(rows), len(columns)), np.nan) for _ in range(3))
    for at, (r, c) in enumerate((r, c) for r in rows for c in columns):
        place = divmod(at, len(columns))
        found = cells.get((r, c), [])
        values = [value for value in found if value is not None]
        counts[place] = len(values) or len(found)
        means[place] = np.mean(values) if values else np.nan
        sds[place] = np.std(values, ddof=1) if len(values) > 1 else np.nan
    chart = grid_heatmap(
        "grid",
        f"{row.capitalize()} × {column}",
        [level_text(row, level) for level in rows],
        [level_text(column, level) for level in columns],
        means,
        sds,
        counts,
        row_title=row,
        column_title=column,
        better="higher" if comparison.higher else "lower",
        y_title=value_title(comparison),
    )
    others = sorted(varied - set(pair))
    mixed = f", over all values of {' and '.join(others).replace('_', ' ')}" if others else ""
    return replace(chart, caption=f"Mean ± standard deviation of the runs of a cell{mixed}.")


def _scale(comparison: Comparison) -> float:
    """Return what turns a value into the one of the axis that ``value_title`` names."""
    return 100.0 if is_share(comparison.metric) else 1.0


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
        "y_title": metric_title(comparison.metric) if percent else value_title(comparison),
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


def _factor(comparison: Comparison, factor: str) -> FactorSection:
    levels = comparison.factors[factor]
    name = factor.replace("_", " ")
    if len(levels) == 1:
        return FactorSection(name, None, f"{name}: only {level_text(factor, levels[0])} was run")
    scale = _scale(comparison)
    rows = [
        row | {"value": None if row["value"] is None else row["value"] * scale} for row in comparison.rows()
    ]
    if not rows:
        return FactorSection(name, None, f"{name}: no run has ended yet")
    others = [other for other in comparison.factors if other != factor]
    effect = factor_effects(rows, factor, [*others, "rest"], "seed", "value")
    if all(level.mean is None for level in effect.levels):
        return FactorSection(name, None, f"{name}: no comparison; {effect.caption}")
    chart = factor_plot(
        f"factor-{factor.replace('_', '-')}",
        sentence(name),
        [_level_view(factor, level) for level in effect.levels],
        y_title=value_title(comparison),
        caption=_factor_caption(effect),
    )
    return FactorSection(name, chart, "")


def _factor_caption(effect: FactorEffect) -> str:
    """Say what dots and whiskers are, and how even the ground is that they stand on."""
    seeds = max(level.n for level in effect.levels)
    whisker = f"whisker: 95 % t interval over {seeds} seeds" if seeds > 1 else "one seed: no interval"
    return f"Large dot: mean; {whisker}; small dots: single runs. {sentence(effect.caption)}."


def _level_view(factor: str, effect: LevelEffect) -> LevelView:
    return LevelView(
        level_text(factor, effect.level),
        effect.mean,
        effect.low,
        effect.high,
        effect.n,
        effect.runs,
        effect.diverged,
    )
