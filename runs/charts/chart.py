"""A chart: a figure for the browser, a sentence for everybody, a table for those who want the numbers."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import orjson
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Figure = dict[str, Any]
FloatArray = NDArray[np.float64]
TABLE_ROWS = 60
FEW_STEPS = 8
COLOURS = 6
DASHES = ("solid", "dash", "dot", "dashdot")

# The trace types of the vendored bundle. An absent one is drawn as an empty scatter, without a word.
BUNDLED_TRACES = frozenset(
    {
        "bar",
        "box",
        "contour",
        "heatmap",
        "histogram",
        "histogram2d",
        "histogram2dcontour",
        "image",
        "scatter",
        "violin",
    }
)


class Mark(NamedTuple):
    """A step to point out: where something happened to an alert, or where somebody looks.

    Args:
        label: names it in the sentence under the chart.
        kind: of ``MARK_SHAPES``: the alert's severity, ``resolved``, or ``cursor`` for the step that somebody
            looks at; told by shape as well as by colour.
        note: what there is to say besides, on hover.
    """

    step: int
    label: str
    kind: str = "warning"
    note: str = ""


# The worst first; the cursor is no alert, and shows its own shape only where there is none.
MARK_SHAPES = {"critical": "●", "warning": "▼", "info": "○", "resolved": "✓", "cursor": "◆"}


@dataclass(frozen=True)
class Table:
    """The data behind a chart, thinned for reading; ``note`` says how."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What a page needs to show one chart.

    Args:
        key: the id of its element, unique in the page.
        figure: Plotly's data and layout, ready for JSON: no NaN, no infinity, and no colours of a theme.
        summary: one sentence that says what is to be seen.
        caption: how it was computed, where that needs saying.
        empty: what to say instead of drawing, where there is nothing to draw.
        height: ``low``, ``normal``, ``tall`` or ``square``: a class of the style sheet.
    """

    key: str
    title: str
    figure: Figure = field(default_factory=dict)
    summary: str = ""
    table: Table = field(default_factory=Table)
    caption: str = ""
    empty: str = ""
    height: Literal["low", "normal", "tall", "square"] = "normal"

    @property
    def spec_id(self) -> str:
        """The id of the data block in the page that holds the figure."""
        return f"{self.key}-spec"

    def to_json(self) -> str:
        """Serialise the figure, for the live update of a page."""
        return orjson.dumps(self.figure, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def empty_chart(key: str, title: str, reason: str) -> Chart:
    """Make a chart that says why there is nothing to see yet."""
    return Chart(key=key, title=title, empty=reason)


def figure_of(traces: Sequence[dict[str, Any]], layout: dict[str, Any]) -> Figure:
    """Let Plotly's schema check traces and layout, and return them without a template of its own.

    Raises:
        ValueError: by Plotly, for a property it does not know; and for a trace that the bundle cannot draw.
    """
    unknown = {trace["type"] for trace in traces} - BUNDLED_TRACES
    if unknown:
        raise ValueError(f"expected traces of the vendored bundle, got {', '.join(sorted(unknown))}")
    figure = go.Figure(data=list(traces), layout=layout | {"template": "none"}).to_plotly_json()
    figure["layout"].pop("template", None)
    return {"data": figure["data"], "layout": figure["layout"]}


def numbers(values: ArrayLike) -> list[float | None] | dict[str, str]:
    """Write numbers for Plotly: a typed array where all are finite, else a list with None for the gaps.

    Shapes: values (n,) or (rows, columns).
    """
    array = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        gaps = array.astype(object)
        gaps[~finite] = None
        plain: list[float | None] = gaps.tolist()
        return plain
    kind = "i4" if _fits_int32(array) else "f8"
    spec = {"dtype": kind, "bdata": base64.b64encode(array.astype(f"<{kind}").tobytes()).decode()}
    if array.ndim == 2:
        spec["shape"] = f"{array.shape[0]}, {array.shape[1]}"
    return spec


def escaped(text: object) -> str:
    """Write text of a user for Plotly, which reads HTML in it: tags would become style attributes."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;")


def number_text(value: float | None) -> str:
    """Write a number with 4 significant digits; very small and very large ones with an exponent."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if abs(value) < 1e6 and (value == int(value) or abs(value) >= 1000):
        return _grouped(value)
    if not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.4g}"


def value_text(value: float | None, *, percent: bool) -> str:
    """Write a value of a metric as its axis does: a share in percent."""
    if not percent or value is None or not math.isfinite(value):
        return number_text(value)
    return f"{number_text(100 * value)} %"


def spread_text(mean: float, sd: float, *, usual: float = 0.0) -> str:
    """Write a mean and its standard deviation: 2 digits of the latter, the mean with as many decimals.

    Args:
        usual: the spread that chooses the decimals instead, so that several are written alike.
    """
    usual = usual or sd
    if not usual > 0 or not 1e-4 <= usual < 1e4:
        return f"{number_text(mean)} ± {number_text(sd)}"
    decimals = max(0, 1 - math.floor(math.log10(usual)))
    if abs(mean) >= 1000:
        return f"{number_text(mean)} ± {number_text(sd)}"
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def step_text(step: float) -> str:
    """Write a step with thin spaces, at which no line breaks, between the thousands."""
    return _grouped(step) if step == int(step) else number_text(step)


def _grouped(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u202f")


def value_axis(title: str, values: FloatArray, *, log: bool = False, percent: bool = False) -> dict[str, Any]:
    """Describe the axis of a metric: few ticks on a log axis, 62k rather than 6.2e+4, a share in percent."""
    axis: dict[str, Any] = {"title": {"text": title}}
    if percent:
        return axis | {"tickformat": "~%"}
    if log:
        drawn = values[np.isfinite(values) & (values > 0)]
        decades = float(np.log10(drawn.max()) - np.log10(drawn.min())) if drawn.size else 0.0
        return axis | {"type": "log", "nticks": int(min(8, max(3, decades / 0.75)))}
    return axis | large_numbers(values)


def large_numbers(values: FloatArray) -> dict[str, str]:
    """Choose prefixes (k, M) for large numbers; beyond all prefixes Plotly would write superscripts."""
    finite = np.abs(values[np.isfinite(values)])
    return {"exponentformat": "SI"} if finite.size and 1e4 <= finite.max() < 1e15 else {}


def whole_ticks(xs: Sequence[FloatArray], marks: Sequence[Mark]) -> dict[str, int]:
    """Put a tick at every step where they are few; charts.js takes it back as they grow."""
    last = max([*(float(x.max()) for x in xs if x.size), *(float(mark.step) for mark in marks)], default=0.0)
    return {"dtick": 1} if 0 < last <= FEW_STEPS else {}


def plural(count: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def marks_layout(marks: Sequence[Mark]) -> dict[str, Any]:
    """Draw alerts as dotted lines, each with a shape on top that carries the words.

    Those of one step share a line, and the shape of the worst of them.
    """
    by_step = groupby(sorted(marks, key=lambda mark: mark.step), key=lambda mark: mark.step)
    drawn = [(step, list(some)) for step, some in by_step]
    worst = [next(kind for kind in MARK_SHAPES if kind in {mark.kind for mark in some}) for _, some in drawn]
    place = {"xref": "x", "yref": "y domain"}
    return {
        "shapes": [
            {"type": "line", "name": kind, **place, "x0": step, "x1": step, "y0": 0, "y1": 1}
            | {"line": {"width": 1, "dash": "dot"}}
            for (step, _), kind in zip(drawn, worst, strict=True)
        ],
        "annotations": [
            {"name": kind, **place, "x": step, "y": 1, "yanchor": "bottom", "text": MARK_SHAPES[kind]}
            | {"showarrow": False, "font": {"size": 11}, "hovertext": _mark_words(step, some)}
            for (step, some), kind in zip(drawn, worst, strict=True)
        ],
    }


def _mark_words(step: int, some: Sequence[Mark]) -> str:
    lines = [mark.label + (f": {mark.note}" if mark.note else "") for mark in some]
    return "<br>".join([*lines[:-1], f"{lines[-1]} (step {step_text(step)})"])


def marks_sentence(marks: Sequence[Mark]) -> str:
    """Name the alerts that are marked, the first three of them."""
    marks = [mark for mark in marks if mark.kind != "cursor"]
    if not marks:
        return ""
    named = ", ".join(f"{mark.label} at step {step_text(mark.step)}" for mark in marks[:3])
    rest = f" and {len(marks) - 3} more" if len(marks) > 3 else ""
    return f" Marked: {named}{rest}."


def thinned(count: int, limit: int = TABLE_ROWS) -> list[int]:
    """Choose at most ``limit`` rows of a table, evenly, the first and the last among them."""
    if count <= limit:
        return list(range(count))
    return sorted({round(index * (count - 1) / (limit - 1)) for index in range(limit)})


def _fits_int32(array: FloatArray) -> bool:
    return bool(array.size and (array == np.round(array)).all() and np.abs(array).max() < 2**31)
