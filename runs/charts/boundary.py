"""What a network says all over the plane of its two inputs, with the points that it learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import (
    Chart,
    FloatArray,
    Table,
    escaped,
    figure_of,
    large_numbers,
    number_text,
    numbers,
    step_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "pentagon")
_GLYPHS = ("●■◆▲✚⬟", "○□◇△✛⬠")  # of these, filled and open, for the legend
MOST_CLASSES = len(_SYMBOLS)


@dataclass(frozen=True)
class Plane:
    """The network's answers on a grid.

    Shapes: x (columns,), y (rows,); answers (outputs, rows, columns): a probability for each class, of two
    classes that of the second; of regression the predictions.
    """

    x: FloatArray
    y: FloatArray
    answers: FloatArray


@dataclass(frozen=True)
class Cloud:
    """Points of the data, each with its class or its value. Shapes: x, y and truth (points,)."""

    name: str
    x: FloatArray
    y: FloatArray
    truth: NDArray[Any]
    is_open: bool = False


@dataclass(frozen=True)
class Names:
    """What things are called.

    Args:
        classes: none for regression.
        target: what is predicted, with its unit.
    """

    inputs: tuple[str, str]
    classes: Sequence[str]
    target: str


@dataclass(frozen=True)
class Judged:
    """How well the network did after a step: a share of rows that it calls right, or an RMSE."""

    step: int
    training: float
    validation: float


def boundary(
    key: str,
    title: str,
    plane: Plane,
    clouds: Sequence[Cloud],
    *,
    names: Names,
    judged: Sequence[Judged],
    step: int,
) -> Chart:
    """Draw answers as colour and points over them: classes by colour and shape, values on one scale.

    Args:
        judged: for the table, one row a snapshot; that of ``step`` is told in the summary.
    """
    classes, target = names.classes, names.target
    if classes:
        surface, points = _regions(plane, classes), [_called(one, classes) for one in clouds]
        traces = [*surface, *(trace for some in points for trace in some)]
    else:
        traces = [_surface(plane, clouds, target), *(_valued(one, plane, clouds) for one in clouds)]
    layout: dict[str, Any] = {
        "xaxis": _axis(names.inputs[0], plane.x),
        "yaxis": _axis(names.inputs[1], plane.y) | {"scaleanchor": "x", "scaleratio": _ratio(plane)},
        "showlegend": bool(classes),
    }
    columns = ("after step", "training rows right", "validation rows right")
    if not classes:
        columns = ("after step", f"RMSE of training ({target})", f"RMSE of validation ({target})")
    write = _share if classes else number_text
    rows = tuple((step_text(one.step), write(one.training), write(one.validation)) for one in judged)
    return Chart(
        key=key,
        title=title,
        figure=figure_of(traces, layout),
        summary=_summary(plane, classes, judged, step),
        table=Table(columns, rows),
        caption="Filled points are of the training rows, open ones of the validation rows.",
        height="square",
    )


def _share(value: float) -> str:
    return f"{value:.1%}" if np.isfinite(value) else "–"


def _axis(title: str, places: FloatArray) -> dict[str, Any]:
    return {
        "title": {"text": escaped(title)}, "range": [float(places[0]), float(places[-1])], "showgrid": False,
        "zeroline": False, "fixedrange": True, "constrain": "domain",
    } | large_numbers(places)  # fmt: skip


def _ratio(plane: Plane) -> float:
    """Make the picture a square, whatever the two inputs' ranges."""
    return float((plane.x[-1] - plane.x[0]) / (plane.y[-1] - plane.y[0]))


def _shares(plane: Plane) -> FloatArray:
    """Return the probability of each class. Shapes: (classes, rows, columns)."""
    if len(plane.answers) > 1:
        return plane.answers
    return np.concatenate([1.0 - plane.answers, plane.answers])


def _regions(plane: Plane, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Tint for each class where it has the highest probability, the stronger the surer."""
    shares = _shares(plane)
    winner, shown = shares.argmax(axis=0), shares.round(3)  # as many digits as an eye can tell
    return [
        {
            "type": "heatmap", "x": numbers(plane.x), "y": numbers(plane.y),
            "z": numbers(np.where(winner == place, shown[place], np.nan)), "zmin": 1.0 / len(classes),
            "zmax": 1.0, "zsmooth": False, "hoverongaps": False, "showscale": False,
            "hovertemplate": f"{escaped(name)}: %{{z:.1%}}<extra></extra>",
            "meta": {"role": "tint", "series": place},
        }
        for place, name in enumerate(classes)
    ]  # fmt: skip


def _called(cloud: Cloud, classes: Sequence[str]) -> list[dict[str, Any]]:
    return [
        _dots(cloud, cloud.truth == place, _SYMBOLS[place])
        | {
            "name": f"{_GLYPHS[cloud.is_open][place]} {escaped(name)}, {cloud.name}",
            "legendgroup": f"{cloud.name} {place}",
            "hovertemplate": f"{escaped(name)}, {cloud.name}<extra></extra>",
            "meta": {"role": "pair", "series": place},
        }
        for place, name in enumerate(classes)
    ]  # fmt: skip


def _dots(cloud: Cloud, chosen: NDArray[np.bool_], symbol: str) -> dict[str, Any]:
    marker: dict[str, Any] = {"size": 6, "symbol": f"{symbol}-open" if cloud.is_open else symbol}
    marker["line"] = {"width": 1.5 if cloud.is_open else 0.5}
    return {
        "type": "scatter", "mode": "markers", "x": numbers(cloud.x[chosen]), "y": numbers(cloud.y[chosen]),
        "marker": marker, "cliponaxis": True,
    }  # fmt: skip


def _ends(plane: Plane, clouds: Sequence[Cloud]) -> tuple[float, float]:
    """Return the scale of a regression: that of the true values, so that it is the same after every step."""
    values = np.concatenate([np.asarray(one.truth, np.float64) for one in clouds])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _surface(plane: Plane, clouds: Sequence[Cloud], target: str) -> dict[str, Any]:
    low, high = _ends(plane, clouds)
    return {
        "type": "heatmap", "x": numbers(plane.x), "y": numbers(plane.y), "z": numbers(plane.answers[0]),
        "zmin": low, "zmax": high, "zsmooth": False, "hoverongaps": False,
        "colorbar": {"thickness": 10, "title": {"text": escaped(target), "side": "right"}},
        "hovertemplate": "predicted %{z:.4~g}<extra></extra>", "meta": {"role": "heat"},
    }  # fmt: skip


def _valued(cloud: Cloud, plane: Plane, clouds: Sequence[Cloud]) -> dict[str, Any]:
    low, high = _ends(plane, clouds)
    found = _dots(cloud, np.ones(len(cloud.x), np.bool_), "circle")
    found["marker"] |= {"color": numbers(np.asarray(cloud.truth, np.float64)), "cmin": low, "cmax": high}
    found["marker"]["colorscale"] = "Cividis"  # that of the surface
    return found | {
        "name": cloud.name, "hovertemplate": f"%{{marker.color:.4~g}}, {cloud.name}<extra></extra>",
        "meta": {"role": "heat"},
    }  # fmt: skip


def _summary(plane: Plane, classes: Sequence[str], judged: Sequence[Judged], step: int) -> str:
    now = next((one for one in judged if one.step == step), None)
    told = f"After step {step_text(step)}"
    if not classes:
        low, high = (number_text(float(end)) for end in (plane.answers[0].min(), plane.answers[0].max()))
        text = f"{told} the predictions reach from {low} to {high} over the picture"
        return f"{text}; RMSE of the validation rows {number_text(now.validation)}." if now else f"{text}."
    areas = np.bincount(_shares(plane).argmax(axis=0).ravel(), minlength=len(classes)) / plane.answers[0].size
    where = ", ".join(f"{name} {area:.0%}" for name, area in zip(classes, areas, strict=True))
    right = f" the network calls {now.validation:.1%} of the validation rows right;" if now else ""
    return f"{told}{right} of the picture it gives {where}."
