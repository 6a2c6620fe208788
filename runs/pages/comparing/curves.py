"""Curves of a comparison: a line for each group over its seeds, in small multiples by a facet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnlab.stats.groups import GroupCurve, RunCurve, group_curves
from runs.charts.chart import Chart, empty_chart, plural
from runs.charts.curves import Line, curves
from runs.pages.comparing.captions import X_NAMES, X_TITLES, curve_caption
from runs.pages.comparing.comparison import Comparison, Group, level_text, named_level
from runs.pages.comparing.groups import groups_page
from runs.pages.comparing.series import Curve, RunCurves, read_curves
from runs.pages.comparing.view import CompareView
from runs.pages.formats import is_share, least_span, metric_title, sentence
from runs.pages.run.charts import spans_decades
from runs.reading.comparison import RunRow

MAX_GROUPS = 12  # lines with a band in one chart
MAX_BANDS = 6  # groups whose bands can still be told apart
MAX_FACETS = 8
MAX_FAINT = 40  # raw runs behind the means, all charts of the page together
MAX_READ = 600  # runs whose curves are read for one page
MIN_SEEDS = 5  # of a group, however many groups there are
_DASHES = ("solid", "dash", "dot", "dashdot")

_Style = tuple[int, Any]  # number of the colour, dash


@dataclass(frozen=True)
class Panel:
    """One chart: the groups that are drawn in it, with their styles.

    Args:
        groups: that there are for it, drawn or not.
        hidden: of these, as many were hidden.
        runs: of each drawn group, those whose curves are read.
    """

    title: str
    drawn: Mapping[str, tuple[Group, _Style]]
    groups: int
    hidden: int
    runs: Mapping[str, Sequence[RunRow]]

    @property
    def seeds_left_out(self) -> bool:
        """Whether a group has more runs than are read."""
        return any(len(self.runs[key]) < len(group.members) for key, (group, _) in self.drawn.items())


def curves_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Read the curves of the groups that are drawn, and draw them."""
    panels = panels_of(comparison, view, warnings)
    runs = [run for panel in panels for members in panel.runs.values() for run in members]
    series = read_curves(runs, comparison.metric, view, warnings)
    if series.skipped:
        warnings.append(
            f"{plural(series.skipped, 'run')} without what it takes to know the {X_NAMES[view.x]}: not drawn."
        )
    return {
        "curves": curve_charts(comparison, view, panels, series),
        "groups": groups_page(comparison, view, warnings),
    }


def panels_of(comparison: Comparison, view: CompareView, warnings: list[str]) -> list[Panel]:
    """Share the groups out over charts, the best of each that are not hidden."""
    if not view.facet:
        named = [(f"{sentence(metric_title(comparison.metric))} over {X_TITLES[view.x]}", comparison.groups)]
    else:
        levels = comparison.factors[view.facet]
        if len(levels) > MAX_FACETS:
            warnings.append(f"The first {MAX_FACETS} of {len(levels)} levels of {view.facet} are shown.")
        named = [
            (
                sentence(f"{view.facet.replace('_', ' ')} {level_text(view.facet, level)}"),
                [group for group in comparison.groups if group.levels[view.facet] == level],
            )
            for level in levels[:MAX_FACETS]
        ]
    share = MAX_READ // max(1, len(named) * MAX_GROUPS)
    return [_panel(title, groups, comparison, view, max(MIN_SEEDS, share)) for title, groups in named]


def _panel(
    title: str, groups: Sequence[Group], comparison: Comparison, view: CompareView, most: int
) -> Panel:
    styles = _styles(groups, comparison, view)
    seen = [(group, style) for group, style in zip(groups, styles, strict=True) if group.key not in view.hide]
    drawn = {group.key: (group, style) for group, style in seen[:MAX_GROUPS]}
    share = max(most, MAX_READ // max(1, len(drawn))) if len(groups) == len(comparison.groups) else most
    runs = {key: [member.run for member in group.members[:share]] for key, (group, _) in drawn.items()}
    return Panel(title, drawn, len(groups), len(groups) - len(seen), runs)


def _styles(groups: Sequence[Group], comparison: Comparison, view: CompareView) -> list[_Style]:
    """Choose a colour and a dash for each group, the same ones whichever others are hidden.

    Groups that share a colour differ by their dash, unless that was given to another factor.
    """
    places = range(len(groups)) if not view.color else _places(groups, comparison, view.color)
    if view.dash:
        dashes = _places(groups, comparison, view.dash)
        return [(at, _DASHES[dash % len(_DASHES)]) for at, dash in zip(places, dashes, strict=True)]
    if not view.color:
        return [(at, "solid") for at in places]
    taken: dict[int, int] = {}
    styles = []
    for at in places:
        styles.append((at, _DASHES[taken.get(at, 0) % len(_DASHES)]))
        taken[at] = taken.get(at, 0) + 1
    return styles


def _places(groups: Sequence[Group], comparison: Comparison, factor: str) -> list[int]:
    order = {level: at for at, level in enumerate(comparison.factors[factor])}
    return [order[group.levels[factor]] for group in groups]


def curve_charts(
    comparison: Comparison, view: CompareView, panels: Sequence[Panel], series: RunCurves
) -> list[Chart]:
    """Draw the panels, on one scale where there are several."""
    charts = [
        _chart(f"curves-{place}", panel, comparison, view, series, MAX_FAINT // len(panels))
        for place, panel in enumerate(panels)
    ]
    return _on_one_scale(charts) if view.facet else charts


def _chart(
    key: str, panel: Panel, comparison: Comparison, view: CompareView, series: RunCurves, faint: int
) -> Chart:
    found = _grouped(panel, series.raw, comparison, view)
    if not found:
        reason = "Every group is hidden." if panel.hidden == panel.groups else "No point yet for these runs."
        return empty_chart(key, panel.title, reason)
    smooth = _grouped(panel, series.smooth, comparison, view)
    log_y = view.ylog if view.ylog is not None else spans_decades(curve.middle for curve in found.values())
    banded = view.band != "none" and len(found) <= MAX_BANDS
    if series.edges is not None:
        lines = _extreme_lines(panel, series, faint, comparison.metric if view.x == "step" else "")
    elif smooth:
        lines = [_raw_mean(curve, panel.drawn[key][1][0]) for key, curve in found.items() if key in smooth]
    else:
        lines = _raw_lines(panel, series.raw, faint)
    percent = is_share(comparison.metric)
    names = _names(panel, view, found, comparison.seeds)
    lines += [
        _line(names[key], panel.drawn[key][1], smooth.get(key, curve), banded=banded, log_y=log_y)
        for key, curve in found.items()
    ]
    chart = curves(
        key,
        panel.title,
        lines,
        x_title=X_NAMES[view.x],
        y_title=metric_title(comparison.metric) if percent else comparison.value_title,
        log_y=log_y,
        least_span=least_span(comparison.metric),
        percent=percent and not log_y,
        x_range=(view.first, view.last),
    )
    caption = curve_caption(
        view, panel, list(found.values()), lines, series, banded=banded, share=percent and not log_y
    )
    return replace(chart, caption=caption, height="normal" if view.facet else "tall")


def _grouped(
    panel: Panel, series: Mapping[int, Curve], comparison: Comparison, view: CompareView
) -> dict[str, GroupCurve]:
    runs: list[RunCurve] = [
        (key, run.replicate, *series[run.pk])
        for key, members in panel.runs.items()
        for run in members
        if run.pk in series
    ]
    worst = -np.inf if comparison.higher else np.inf
    found = group_curves(runs, middle=view.agg, band=view.band, worst=worst)
    return {str(curve.group): curve for curve in found}


def _raw_lines(panel: Panel, series: Mapping[int, Curve], most: int) -> list[Line]:
    """Draw the single runs, to stand behind their means; none where they would be too many."""
    lines = [
        Line(run.name, *series[run.pk], series=style[0], faint=True)
        for key, (group, style) in panel.drawn.items()
        for run in panel.runs[key]
        if len(group.members) > 1 and run.pk in series
    ]
    return lines if len(lines) <= most else []


def _extreme_lines(panel: Panel, series: RunCurves, most: int, metric: str) -> list[Line]:
    """Draw what averages over blocks would hide: the lowest and highest value of each run in every block.

    Where runs are too many to be told apart it is that of all runs of a group, for which they need a common
    axis.

    Args:
        metric: that is read anew where somebody zooms in; empty where the axis is not that of steps.
    """
    pale = [(run, style[0]) for key, (_, style) in panel.drawn.items() for run in panel.runs[key]]
    pale = [(run, colour) for run, colour in pale if run.pk in series.pale]
    if len(pale) <= most:
        return [
            Line(
                run.name, *series.pale[run.pk], series=colour, faint=True, extremes=True,
                source=(run.pk, metric, None) if metric else None,
            )
            for run, colour in pale
        ]  # fmt: skip
    every = {key: series.extremes(run.pk for run in panel.runs[key]) for key in panel.drawn if metric}
    return [
        Line(panel.drawn[key][0].label, *curve, series=panel.drawn[key][1][0], faint=True, extremes=True)
        for key, curve in every.items()
        if curve is not None
    ]


def _raw_mean(curve: GroupCurve, colour: int) -> Line:
    return Line("", curve.steps, curve.middle, series=colour, faint=True)


def _names(panel: Panel, view: CompareView, found: Mapping[str, GroupCurve], usual: int) -> dict[str, str]:
    """Name the lines of a panel without what its title says, and with n where it is not the usual one."""
    names = {}
    for key, curve in found.items():
        group = panel.drawn[key][0]
        said = named_level(view.facet, group.levels[view.facet]) if view.facet else ""
        name = ", ".join(part for part in group.label.split(", ") if part != said) or group.label
        seeds = f"n = {curve.seeds}" + (f", {curve.diverged} diverged" if curve.diverged else "")
        is_usual = curve.seeds == usual > 1 and not curve.diverged
        names[key] = name if is_usual else f"{name} ({seeds})"
    return names


def _line(name: str, style: _Style, curve: GroupCurve, *, banded: bool, log_y: bool) -> Line:
    """Draw a group with its band; a band that reaches 0 has no place on a log axis and is left out."""
    colour, dash = style
    low, high = curve.low, curve.high
    has_band = banded and bool(np.isfinite(low).any()) and not (log_y and bool((low <= 0).any()))
    return Line(
        name,
        curve.steps,
        curve.middle,
        low if has_band else None,
        high if has_band else None,
        series=colour,
        dash=dash,
        n=curve.n,
    )


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
