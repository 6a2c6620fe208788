"""Charts of every kind, and how to read what they draw."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import Chart, Mark, empty_chart
from runs.charts.curves import Line, curves
from runs.charts.factors import LevelView, factor_plot, grid_heatmap
from runs.charts.layers import layer_heatmap, layer_lines

if TYPE_CHECKING:
    from collections.abc import Callable

NAN, INF = math.nan, math.inf
STEPS = np.arange(1, 101)
FALLING = np.exp(-STEPS / 30)
LEVELS = [
    LevelView("relu", 0.9, 0.88, 0.92, 3, [0.89, 0.9, 0.91]),
    LevelView("sigmoid <b>", 0.7, None, None, 1, [0.7], diverged=2),
    LevelView("tanh", None, None, None, 0, [], diverged=3),
]


def a_grid(better: Any = "higher") -> Chart:
    return grid_heatmap(
        "grid",
        "Depth × width",
        [1, 2],
        [8, 16],
        [[0.8, 0.9], [NAN, 0.7]],
        [[0.01, NAN], [NAN, 0.02]],
        [[3, 1], [0, 3]],
        row_title="depth",
        column_title="width",
        better=better,
    )


CHARTS: dict[str, Callable[[], Chart]] = {
    "curves": lambda: curves(
        "c", "Loss", [Line("train", STEPS, FALLING)], y_title="loss", marks=[Mark(7, "vanishing")]
    ),
    "band": lambda: curves(
        "b",
        "Loss",
        [Line("mean", STEPS, FALLING, low=FALLING * 0.9, high=FALLING * 1.1)],
        y_title="loss",
        log_y=True,
    ),
    "gaps": lambda: curves(
        "g",
        "Loss",
        [Line("raw", [1, 2], [1.0, NAN], faint=True), Line("a", [1, 2, 3], [1.0, INF, NAN])],
        y_title="loss",
        log_y=True,
    ),
    "layers": lambda: layer_heatmap(
        "l", "Gradient", ["h1", "h2"], [1, 2], [[0.1, 0.0], [NAN, 1e-9]], measure="gradient_rms"
    ),
    "layer lines": lambda: layer_lines(
        "ll", "Gradient", [Line("h1", STEPS, FALLING), Line("h2", STEPS, FALLING, series=1)], y_title="RMS"
    ),
    "factor": lambda: factor_plot(
        "f", "Activation", LEVELS, y_title="val accuracy", caption="others averaged"
    ),
    "grid": a_grid,
    "empty": lambda: empty_chart("e", "Loss", "first point expected at step 10"),
}


def traces(chart: Chart, role: str) -> list[dict[str, Any]]:
    return [trace for trace in chart.figure["data"] if trace["meta"]["role"] == role]


def plain(values: Any) -> list[Any]:
    if isinstance(values, list):
        return values
    array = np.frombuffer(base64.b64decode(values["bdata"]), dtype=f"<{values['dtype']}")
    return list(array.tolist())
