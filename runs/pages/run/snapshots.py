"""Inside a run's network: what its layers put out, and how its weights are spread, after some steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnlab.engine.composition import activation_of
from nnlab.engine.records import Histogram
from runs.charts.chart import Chart, empty_chart, step_text
from runs.charts.insides import Ridge, ridgeline, unit_map, value_map
from runs.models import NetworkSnapshot
from runs.pages.formats import sentence
from runs.pages.run.boundary import boundary_of
from runs.pages.run.charts import spread
from runs.pages.run.first_layer import images_of
from runs.pages.run.redrawing import cursor_of, redrawn
from runs.pages.run.view import RunPage
from runs.store.network_snapshots import Kept, read

MAX_RIDGES = 24
MAX_MAPS = 8  # layers with a map of their own
KNOWN = ("step",)
NONE_YET = "No snapshot yet: the first is taken before step 1, the next after an epoch."
NEVER = "This run has no snapshots: it was trained elsewhere, or before any were taken; a clone has them."

_Draw = Callable[[RunPage], list[Chart]]


def show_activations(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the activations needs."""
    return _shown(page, _activations)


def activation_news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the charts again where points came."""
    return redrawn(page.run, after, lambda: _drawn(page, _activations)), {}


def show_weights(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the weights needs."""
    return _shown(page, _weights)


def weight_news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the maps again where points came."""
    return redrawn(page.run, after, lambda: _drawn(page, _weights)), {}


def _shown(page: RunPage, draw: _Draw) -> dict[str, Any]:
    steps = NetworkSnapshot.objects.filter(run=page.run).order_by("step").values_list("step", flat=True)
    return {
        "charts": list(_drawn(page, draw).values()),
        "steps": list(steps),
        "step": page.step,
        "cursor": cursor_of(page.run),
    }


def _drawn(page: RunPage, draw: _Draw) -> Mapping[str, Chart]:
    return {chart.key: replace(chart, summary=sentence(chart.summary)) for chart in draw(page)}


def _activations(page: RunPage) -> list[Chart]:
    """Draw ridges of all hidden layers at the step looked at, and the units of those that can die."""
    found = read(page.run.pk)
    hidden = _names(page)[:-1]
    title = "Outputs of each layer"
    if not found:
        return [empty_chart("ridges", title, _why_nothing(page))]
    at = _looked_at(found, page.step)
    chosen = spread(range(len(at.snapshot.outputs)), MAX_RIDGES)
    ridges = [_ridge(hidden[layer], at.snapshot.outputs[layer]) for layer in chosen]
    told = f"{title} after step {step_text(at.step)}"
    charts = [ridgeline("ridges", told, ridges, x_title="output", step=at.step)]
    dying = [layer for layer in range(len(at.snapshot.outputs)) if _can_die(page, layer)]
    return charts + [_units(found, layer, hidden[layer]) for layer in spread(dying, MAX_MAPS)]


def _weights(page: RunPage) -> list[Chart]:
    """Draw for each layer how its weights are spread after each snapshot."""
    found, names = read(page.run.pk), _names(page)
    if not found:
        return [empty_chart("weights", "Weights of each layer", _why_nothing(page))]
    steps = [kept.step for kept in found]
    at = _looked_at(found, page.step)
    pictures = (boundary_of(page.run, found, at), images_of(page.run, at))
    return [
        *(picture for picture in pictures if picture),
        *(
            value_map(
                f"weights-{layer}",
                f"Weights of {names[layer]}",
                steps,
                [_ridge(names[layer], kept.snapshot.weights[layer]) for kept in found],
                y_title="weight",
            )
            for layer in spread(range(len(found[0].snapshot.weights)), MAX_MAPS)
        ),
    ]


def _units(found: Sequence[Kept], layer: int, name: str) -> Chart:
    active = np.stack([kept.snapshot.active[layer] / kept.snapshot.rows for kept in found], axis=1)
    return unit_map(f"units-{layer}", f"Units of {name}", [kept.step for kept in found], active)


def _looked_at(found: Sequence[Kept], step: int | None) -> Kept:
    """Return the last snapshot up to a step; the first where all are later."""
    if step is None:
        return found[-1]
    return next((kept for kept in reversed(found) if kept.step <= step), found[0])


def _ridge(name: str, one: Histogram) -> Ridge:
    return Ridge(name, one.low, one.high, one.counts, one.zeros)


def _names(page: RunPage) -> list[str]:
    return list(page.run.info.get("layer_names", ()))


def _can_die(page: RunPage, layer: int) -> bool:
    return activation_of(page.run.info["activations"][layer]).can_die


def _why_nothing(page: RunPage) -> str:
    return NEVER if page.run.is_over else NONE_YET
