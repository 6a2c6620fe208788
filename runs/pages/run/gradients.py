"""The gradients of a run: a line a layer over the steps, and a bar a layer at one step, with words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nnlab.health.thresholds import THRESHOLDS
from runs.charts.chart import Chart, number_text, step_text
from runs.charts.layer_bars import layer_bars
from runs.models import Series
from runs.pages.formats import grouped
from runs.pages.run.charts import GRADIENT, drawable, gradient_lines, names_of, read_run, spread
from runs.pages.run.redrawing import cursor_of, redrawn
from runs.pages.run.view import RunPage
from runs.reading.moments import Moment, last_measured

MAX_LAYERS = 48  # lines of the chart
# The check for vanishing gradients is content with a layer above this share of the largest above it.
CONTENT = float(THRESHOLDS.checks["vanishing"]["clear"])


def show(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the gradients needs."""
    moment = _moment(page)
    charts = list(_charts(page, moment).values())
    blank = page.run.is_over and not any(chart.figure.get("data") for chart in charts)
    return {**_at_step(page, moment), "charts": charts, "blank": blank, "cursor": cursor_of(page.run)}


def news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the charts again where points came, and the words that go with them."""
    answer = redrawn(page.run, after, lambda: _charts(page, _moment(page)))
    if "replace" not in answer:
        return answer, {}
    return answer | {"context": _at_step(page, _moment(page))}, {
        "gradient-words": "runs/_gradient_words.html"
    }


def _at_step(page: RunPage, moment: Moment | None) -> dict[str, Any]:
    """Return the ratio of the first layer's gradient to the last's, in words."""
    names = [] if moment is None else names_of(page.view(), list(moment.values))
    return {"step": page.step, "moment": moment, "words": "" if moment is None else ratio(moment, names)}


def _moment(page: RunPage) -> Moment | None:
    return last_measured(page.run.pk, GRADIENT, page.step)


def _charts(page: RunPage, moment: Moment | None) -> Mapping[str, Chart]:
    rows = Series.objects.filter(run=page.run, metric=GRADIENT).values_list("layer", flat=True)
    chosen = spread(sorted(layer for layer in rows if layer is not None), MAX_LAYERS)
    view = page.view(page.step)
    lines = gradient_lines(view, read_run(page.run, [GRADIENT], chosen) if chosen else [])
    charts = [lines, _bars(page, moment)]
    return {chart.key: drawable(chart, is_over=view.is_over) for chart in charts}


def _bars(page: RunPage, moment: Moment | None) -> Chart:
    title = "Gradient of each layer at the step looked at"
    if moment is None:
        return layer_bars("gradient-bars", title, [], [], x_title="gradient RMS", step=0)
    layers = sorted(moment.values)
    names = names_of(page.view(), layers)
    last = moment.values[layers[-1]]
    band = (last * CONTENT, last / CONTENT) if math.isfinite(last) and last > 0 else None
    return layer_bars(
        "gradient-bars",
        f"Gradient of each layer at step {step_text(moment.step)}",
        [names[layer] for layer in layers],
        [moment.values[layer] for layer in layers],
        x_title="gradient RMS",
        step=moment.step,
        band=band,
    )


def ratio(moment: Moment, names: list[str]) -> str:
    """Say how the gradient of the first layer stands to that of the last."""
    first, last = min(moment.values), max(moment.values)
    low, high = moment.values[first], moment.values[last]
    if first == last:
        return f"The network has one layer with weights; its gradient is {number_text(low)}."
    if not (math.isfinite(low) and math.isfinite(high)):
        where = f"{number_text(low)} in {names[first]}, {number_text(high)} in {names[last]}"
        return f"The gradients are not finite: {where}."
    if low == 0 or high == 0:
        return _zero(low, high, names[first], names[last])
    values = f"({number_text(low)} against {number_text(high)})"
    if low == high:
        return f"The first layer's gradient is as large as the last's ({number_text(low)})."
    if low < high:
        return f"The first layer's gradient is 1/{_times(high / low)} of the last's {values}."
    return f"The first layer's gradient is {_times(low / high)} times the last's {values}."


def _zero(low: float, high: float, first: str, last: str) -> str:
    if low == high:
        return (
            "The gradients of the first and of the last layer are exactly 0: nothing is learned at this step."
        )
    if low == 0:
        others = f"That of {last} is {number_text(high)}."
        return f"The gradient of {first} is exactly 0: nothing of the error reaches it. {others}"
    return f"The gradient of {last} is exactly 0, that of {first} is {number_text(low)}."


def _times(factor: float) -> str:
    """Write a factor with two digits: 1.4, 56, 5,600."""
    if factor >= 1e6:
        return number_text(float(f"{factor:.1e}"))
    rounded = float(f"{factor:.2g}")
    return grouped(rounded) if rounded >= 10 else f"{rounded:g}"
