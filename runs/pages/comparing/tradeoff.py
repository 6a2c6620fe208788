"""Trade-off: what a better metric costs in parameters, time, arithmetic or steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nnlab.stats.pareto import pareto_front
from runs.charts.chart import Chart, plural, thinned
from runs.charts.tradeoff import CostView, tradeoff
from runs.models import Run, Source
from runs.pages.comparing.comparison import Comparison, Group
from runs.pages.comparing.view import CompareView
from runs.pages.formats import is_share, metric_title, sentence

COSTS = {
    "parameters": "parameters",
    "time": "training time (s)",
    "inference": "multiply-adds an example",
    "steps": "training steps",
}
MAX_DRAWN = 300  # groups; the front is always among them


def tradeoff_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Build the tab of the trade-off."""
    cost = view.extra.get("cost", "") or next(iter(COSTS))
    if cost not in COSTS:
        warnings.append(f"cost={cost[:60]} is not known; expected one of {', '.join(COSTS)}.")
        cost = next(iter(COSTS))
    return {
        "tradeoff": _chart(comparison, cost),
        "cost": cost,
        "costs": [(key, sentence(title), view.address(extra={"cost": key})) for key, title in COSTS.items()],
    }


def _chart(comparison: Comparison, cost: str) -> Chart:
    found = _costs(comparison.groups, cost)
    scale = comparison.scale
    points = [
        CostView(
            group.label,
            found[group.key],
            interval.mean * scale,
            None if interval.low is None else interval.low * scale,
            None if interval.high is None else interval.high * scale,
            interval.n,
        )
        for group in comparison.groups
        if (interval := group.interval) and group.key in found
    ]
    costs, means = [point.cost for point in points], [point.mean for point in points]
    front = pareto_front(costs, means, higher=comparison.higher)
    drawn = sorted({*front, *thinned(len(points), MAX_DRAWN)})
    caption = _caption(comparison, len(points), len(drawn))
    return tradeoff(
        "tradeoff",
        f"{sentence(metric_title(comparison.metric))} against {COSTS[cost]}",
        [points[place] for place in drawn],
        [drawn.index(place) for place in front],
        x_title=COSTS[cost],
        y_title=comparison.value_title,
        caption=caption,
        bounds=(0.0, 100.0) if is_share(comparison.metric) else (-math.inf, math.inf),
    )


def _caption(comparison: Comparison, points: int, drawn: int) -> str:
    better = "Higher" if comparison.higher else "Lower"
    text = (
        f"{better} is better. Filled dots, joined by steps: the front, which no other group beats at no more"
        " cost. Dots are means over seeds and whiskers 95 % t intervals, on the front alone: the table has"
        " the others. Neighbours on the front may not really differ. Resetting the zoom shows whiskers whole."
    )
    absent = len(comparison.groups) - points
    if absent:
        text += f" Not drawn: {plural(absent, 'group')} without a finished run or without this cost."
    if drawn < points:
        text += f" {drawn} of {points} groups are drawn, the front and others evenly chosen by rank."
    return text


def _costs(groups: Sequence[Group], cost: str) -> dict[str, float]:
    """Return what each group costs, by its key; without those whose cost is not known or not above 0."""
    if cost == "inference":
        found: Mapping[str, float | None] = _multiply_adds(groups)
    else:
        found = {group.key: mean_cost(group, cost) for group in groups}
    return {key: value for key, value in found.items() if value is not None and value > 0}


def mean_cost(group: Group, cost: str) -> float | None:
    """Average a cost over the runs that have a result."""
    runs = [member.run for member in group.members if member.counts and member.value is not None]
    if cost == "time":
        known = [
            (run.ended_at - run.started_at).total_seconds() for run in runs if run.started_at and run.ended_at
        ]
    else:
        of_each = [run.parameters if cost == "parameters" else run.steps_run for run in runs]
        known = [float(value) for value in of_each if value is not None]
    return sum(known) / len(known) if known else None


def _multiply_adds(groups: Sequence[Group]) -> dict[str, float | None]:
    """Count the weights of dense layers: each is multiplied and added once an example.

    What else has parameters (biases, slopes of PReLU units, batch normalisation) is taken off.
    """
    first = Run.objects.filter(pk__in=[group.members[0].run.pk for group in groups], source=Source.ENGINE)
    fields = ("parameters", "activation", "info__widths", "config__training__batch_norm")
    return {
        group: None if parameters is None or not widths else parameters - _others(activation, widths, norm)
        for group, parameters, activation, widths, norm in first.order_by().values_list("group", *fields)
    }


def _others(activation: str, widths: Sequence[int], norm: object) -> int:
    names = activation.split(", ")
    hidden = list(widths[:-1])
    names = names * len(hidden) if len(names) == 1 else names
    slopes = sum(width for name, width in zip(names, hidden, strict=False) if name == "prelu")
    return sum(widths) + slopes + (2 * sum(hidden) if norm else 0)
