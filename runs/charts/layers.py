"""Layers: one measure of every layer over the steps, as a heat map or as lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import (
    Chart,
    FloatArray,
    Mark,
    Table,
    empty_chart,
    figure_of,
    marks_layout,
    marks_sentence,
    number_text,
    numbers,
    plural,
    step_text,
    thinned,
    whole_ticks,
)
from runs.charts.curves import Line, curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


_FEW_LAYERS = 8  # beyond them, charts of layers are taller


@dataclass(frozen=True)
class Measure:
    """How one measure is drawn: its words, and a scale that is the same in every run."""

    title: str
    low: float
    high: float
    log: bool = False


# A log measure's scale is in powers of ten.
MEASURES = {
    "dead_share": Measure("dead share", 0, 1),
    "zero_share": Measure("zero share", 0, 1),
    "saturated_share": Measure("saturated share", 0, 1),
    "gradient_rms": Measure("gradient RMS", -8, 0, log=True),
    "delta_rms": Measure("delta RMS", -8, 0, log=True),
    "update_ratio": Measure("update ÷ weight", -6, -1, log=True),
    "weight_norm": Measure("weight norm", -1, 3, log=True),
    "spread": Measure("spread", -4, 1, log=True),
}


def layer_heatmap(
    key: str,
    title: str,
    layer_names: Sequence[str],
    steps: ArrayLike,
    values: ArrayLike,
    *,
    measure: str,
    marks: Sequence[Mark] = (),
) -> Chart:
    """Draw a measure as a heat map of layer by step, the first layer at the bottom.

    A value of exactly 0 has no logarithm: it gets a colour of its own and is counted in the summary.

    Shapes: steps (n,), values (layers, n). ``measure`` is a key of ``MEASURES``.

    Raises:
        ValueError: for a measure without a scale, and for shapes that do not fit.
    """
    if measure not in MEASURES:
        raise ValueError(f"expected a measure of {', '.join(MEASURES)}, got {measure!r}")
    scale = MEASURES[measure]
    x, z = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if z.shape != (len(layer_names), x.size):
        raise ValueError(f"expected values of shape {(len(layer_names), x.size)}, got {z.shape}")
    if not np.isfinite(z).any():
        return empty_chart(key, title, "No point yet: the map fills as steps are recorded.")
    traces = [_heat(x, z, layer_names, scale), *_zeros(x, z, layer_names, scale)]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "step"}, "showgrid": False, "zeroline": False} | whole_ticks([x], marks),
        "yaxis": {"type": "category", "showgrid": False, "automargin": True},
        "showlegend": False,
        "uirevision": "keep",
    } | marks_layout(marks)
    return Chart(
        key=key,
        title=title,
        figure=figure_of(traces, layout),
        summary=_summary(x, z, layer_names, scale) + marks_sentence(marks),
        table=_table(x, z, layer_names),
        height="normal" if len(layer_names) <= _FEW_LAYERS else "tall",
    )


def layer_lines(
    key: str,
    title: str,
    lines: Sequence[Line],
    *,
    y_title: str,
    log_y: bool = True,
    marks: Sequence[Mark] = (),
) -> Chart:
    """Draw a measure as one line per layer, told apart by colour and then by dash."""
    chart = curves(key, title, lines, y_title=y_title, log_y=log_y, marks=marks)
    return replace(chart, height="normal" if len(lines) <= _FEW_LAYERS else "tall")


def _heat(x: FloatArray, z: FloatArray, names: Sequence[str], scale: Measure) -> dict[str, Any]:
    shown = np.log10(z, out=np.full_like(z, np.nan), where=z > 0) if scale.log else z
    bar: dict[str, Any] = {"thickness": 10, "title": {"text": scale.title, "side": "right"}}
    if scale.log:
        powers = list(range(int(scale.low), int(scale.high) + 1, 2))
        words = [f"1e{power}" for power in powers]
        # What lies beyond the scale has the colour of its end, and the end says so.
        words[0] = f"≤ {words[0]}"
        if powers[-1] == scale.high:
            words[-1] = f"≥ {words[-1]}"
        bar |= {"tickvals": powers, "ticktext": words}
    return {
        "type": "heatmap", "x": numbers(x), "y": list(names), "z": numbers(shown),
        "zmin": scale.low, "zmax": scale.high, "customdata": numbers(z) if scale.log else None,
        "zsmooth": False, "hoverongaps": False, "colorbar": bar,
        "hovertemplate": f"%{{y}}, step %{{x}}<br>{scale.title} "
        + ("%{customdata:.3~g}" if scale.log else "%{z:.3~g}") + "<extra></extra>",
        "meta": {"role": "heat"},
    }  # fmt: skip


def _zeros(x: FloatArray, z: FloatArray, names: Sequence[str], scale: Measure) -> list[dict[str, Any]]:
    exact = scale.log & (z == 0)
    if not exact.any():
        return []
    return [{
        "type": "heatmap", "x": numbers(x), "y": list(names), "z": numbers(np.where(exact, 1.0, np.nan)),
        "zsmooth": False, "showscale": False, "hoverongaps": False,
        "hovertemplate": f"%{{y}}, step %{{x}}<br>{scale.title} exactly 0<extra></extra>",
        "meta": {"role": "zero"},
    }]  # fmt: skip


def _summary(x: FloatArray, z: FloatArray, names: Sequence[str], scale: Measure) -> str:
    last = np.array([row[np.isfinite(row)][-1] if np.isfinite(row).any() else np.nan for row in z])
    top, bottom = int(np.nanargmax(last)), int(np.nanargmin(last))
    highest = f"highest in {names[top]} ({number_text(float(last[top]))})"
    lowest = f"lowest in {names[bottom]} ({number_text(float(last[bottom]))})"
    where = f"{highest} and {lowest}"
    if last[top] == last[bottom]:
        layers = [name for name, value in zip(names, last, strict=True) if np.isfinite(value)]
        where = f"{number_text(float(last[top]))} in {layers[0] if len(layers) == 1 else 'every layer'}"
    text = f"At step {step_text(x[-1])} {scale.title} is {where}."
    zeros = int((z == 0).sum()) if scale.log else 0
    return text + (f" {plural(zeros, 'value')} exactly 0, drawn in a colour of its own." if zeros else "")


def _table(x: FloatArray, z: FloatArray, names: Sequence[str]) -> Table:
    chosen = thinned(x.size)
    rows = tuple(
        (step_text(x[index]), *(number_text(float(value)) for value in z[:, index])) for index in chosen
    )
    note = f"{len(chosen)} of {x.size} rows; the CSV has them all" if len(chosen) < x.size else ""
    return Table(("step", *names), rows, note)
