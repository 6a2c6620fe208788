"""The weights of a first layer as pictures: of inputs that are pixels, what each unit looks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import Chart, FloatArray, Table, figure_of, number_text, numbers, plural, step_text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MOST_UNITS = 64
_WIDE = 1.9  # columns for each row


def weight_images(
    key: str, title: str, weights: ArrayLike, shape: tuple[int, int], *, step: int, note: str = ""
) -> Chart:
    """Draw for each unit its weights where their pixels are, all on one scale around 0.

    Shapes: weights (pixels, units), pixels by rows from the top; ``shape`` is (height, width).

    Raises:
        ValueError: for weights of another number of pixels.
    """
    every = np.asarray(weights, np.float64)
    if every.ndim != 2 or len(every) != math.prod(shape):
        raise ValueError(f"expected ({math.prod(shape)}, units) weights, got shape {every.shape}")
    shown = every[:, :MOST_UNITS]
    columns = min(shown.shape[1], math.ceil(math.sqrt(_WIDE * shown.shape[1])))
    mosaic, units = _mosaic(shown, shape, columns)
    greatest = float(np.abs(mosaic[np.isfinite(mosaic)]).max(initial=0.0)) or 1.0
    common = {
        "type": "heatmap", "zmin": 0.0, "zmax": greatest, "zsmooth": False, "hoverongaps": False,
        "showscale": False, "customdata": numbers(units),
    }  # fmt: skip
    traces = [
        common | {
            "z": numbers(np.where(sign * mosaic >= 0, sign * mosaic, np.nan)),
            "hovertemplate": f"unit %{{customdata}}: {mark}%{{z:.3~g}}<extra></extra>",
            "meta": {"role": "tint", "series": series},
        }
        for sign, mark, series in ((1.0, "", 0), (-1.0, "−", 1))
    ]  # fmt: skip
    hidden = {"visible": False, "fixedrange": True}
    layout: dict[str, Any] = {
        "xaxis": hidden,
        "yaxis": hidden | {"autorange": "reversed", "scaleanchor": "x"},
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
        "showlegend": False,
    }
    return Chart(
        key=key,
        title=title,
        figure=figure_of(traces, layout),
        summary=_summary(every, shown.shape[1], step),
        table=_table(shown),
        caption=f"Blue: the brighter the pixel, the higher the unit; orange: the lower. {note}".strip(),
        height="normal" if shown.shape[1] > columns else "low",
    )


def _mosaic(weights: FloatArray, shape: tuple[int, int], columns: int) -> tuple[FloatArray, FloatArray]:
    """Lay pictures side by side, a pixel apart; and which unit each place is of."""
    height, width = shape
    count = weights.shape[1]
    rows = -(-count // columns)
    mosaic = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    units = np.zeros(mosaic.shape)
    for unit in range(count):
        top, left = unit // columns * (height + 1), unit % columns * (width + 1)
        mosaic[top : top + height, left : left + width] = weights[:, unit].reshape(shape)
        units[top : top + height, left : left + width] = unit + 1
    return mosaic, units


def _summary(every: FloatArray, shown: int, step: int) -> str:
    of = f"The first {shown} of {every.shape[1]} units" if shown < every.shape[1] else plural(shown, "unit")
    low, high = number_text(float(np.nanmin(every))), number_text(float(np.nanmax(every)))
    return f"{of} after step {step_text(step)}, with weights from {low} to {high}."


def _table(weights: FloatArray) -> Table:
    rows = tuple(
        (
            str(unit + 1),
            number_text(float(column.min())),
            number_text(float(column.max())),
            number_text(float(np.sqrt(np.square(column).mean()))),
        )
        for unit, column in enumerate(weights.T)
    )
    return Table(("unit", "least", "greatest", "root mean square"), rows)
