"""Bars of one measure, one a layer, at one step: what vanishes on its way through a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import (
    Chart,
    FloatArray,
    Table,
    empty_chart,
    escaped,
    figure_of,
    number_text,
    numbers,
    plural,
    step_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

_FEW_LAYERS = 8
_BAND = "rgba(128, 128, 128, 0.18)"  # on light and on dark alike


def layer_bars(
    key: str,
    title: str,
    names: Sequence[str],
    values: ArrayLike,
    *,
    x_title: str,
    step: int,
    band: tuple[float, float] | None = None,
) -> Chart:
    """Draw positive values on a log axis, the first layer at the bottom.

    A value of exactly 0 has no logarithm, and one that is not finite has no place: words stand in its row.

    Shapes: values (layers,).

    Args:
        step: at which they were measured, for the sentence.
        band: shaded: where a healthy layer's value is to be expected.

    Raises:
        ValueError: where there is not one value a name.
    """
    read = np.asarray(values, dtype=np.float64)
    if read.shape != (len(names),):
        raise ValueError(f"expected {len(names)} values, got shape {read.shape}")
    if not len(names):
        return empty_chart(key, title, "No layer was measured up to this step.")
    drawn = np.isfinite(read) & (read > 0)
    low, high = _range(read[drawn], band)
    bar = {
        "type": "bar", "orientation": "h", "name": x_title, "x": numbers(np.where(drawn, read, np.nan)),
        "y": [escaped(name) for name in names], "hovertemplate": "%{y}: %{x:.3~g}<extra></extra>",
        "showlegend": False, "meta": {"role": "mean", "series": 0},
    }  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": x_title}, "type": "log", "range": [low, high], "exponentformat": "e"},
        "yaxis": {"type": "category", "showgrid": False, "automargin": True, "ticksuffix": " "},
        "showlegend": False,
        "shapes": [] if band is None else [_shade(band)],
        "annotations": [_words(names[int(at)], float(read[at]), low) for at in np.flatnonzero(~drawn)],
    }  # fmt: skip
    return Chart(
        key=key,
        title=title,
        figure=figure_of([bar], layout),
        summary=_summary(names, read, x_title, step, band),
        table=Table(
            ("layer", x_title),
            tuple((name, number_text(float(value))) for name, value in zip(names, read, strict=True)),
        ),
        height="normal" if len(names) <= _FEW_LAYERS else "tall",
    )


def _range(values: FloatArray, band: tuple[float, float] | None) -> tuple[float, float]:
    """Return the powers of ten between which everything lies."""
    ends = [*values.tolist(), *(band or ())]
    found = [math.log10(value) for value in ends if value > 0 and math.isfinite(value)]
    return (math.floor(min(found)) - 0.2, math.ceil(max(found)) + 0.2) if found else (-8.0, 0.0)


def _shade(band: tuple[float, float]) -> dict[str, Any]:
    return {
        "type": "rect", "name": "band", "xref": "x", "yref": "paper", "x0": band[0], "x1": band[1],
        "y0": 0, "y1": 1, "fillcolor": _BAND, "layer": "below", "line": {"width": 1, "dash": "dot"},
    }  # fmt: skip


def _words(name: str, value: float, low: float) -> dict[str, Any]:
    return {
        "name": "critical", "xref": "x", "yref": "y", "x": low, "y": escaped(name), "xanchor": "left",
        "text": "exactly 0" if value == 0 else number_text(value) if not math.isnan(value) else "NaN",
        "showarrow": False,
    }  # fmt: skip


def _summary(
    names: Sequence[str], values: FloatArray, what: str, step: int, band: tuple[float, float] | None
) -> str:
    where = f"At step {step_text(step)}"
    positive = np.isfinite(values) & (values > 0)
    if not positive.any():
        return f"{where} no layer has a {what} above 0."
    top, bottom = (int(found(np.where(positive, values, np.nan))) for found in (np.nanargmax, np.nanargmin))
    text = f"{where} {what} is largest in {names[top]} ({number_text(float(values[top]))})"
    if bottom != top:
        text += f" and smallest in {names[bottom]} ({number_text(float(values[bottom]))})"
    zeros, broken = int((values == 0).sum()), int((~np.isfinite(values)).sum())
    outside = 0 if band is None else int((positive & ((values < band[0]) | (values > band[1]))).sum())
    parts = [
        f"{plural(zeros, 'layer')} at exactly 0" if zeros else "",
        f"{plural(broken, 'layer')} not finite" if broken else "",
        f"{plural(outside, 'layer')} outside the shaded band" if outside else "",
    ]
    more = ", ".join(filter(None, parts))
    return f"{text}{f'; {more}' if more else ''}."
