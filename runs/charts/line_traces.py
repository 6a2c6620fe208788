"""The traces of one line of a chart of curves: its band, its parts, and the mark where it breaks off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runs.charts.chart import COLOURS, DASHES, FloatArray, escaped, number_text, numbers, step_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runs.charts.curves import ReadLine


def traces(item: ReadLine, *, log_y: bool) -> list[dict[str, Any]]:
    """Draw a line with its band, and apart the part of it that has fewer runs behind it."""
    line = item.line
    colour = line.series % COLOURS
    dash = line.dash if line.dash != "solid" else DASHES[line.series // COLOURS % len(DASHES)]
    name = escaped(line.name)
    common = {
        "type": "scatter",
        "name": name,
        "legendgroup": name,
        "x": numbers(item.x),
        "connectgaps": False,
    }
    found: list[dict[str, Any]] = []
    if line.low is not None and line.high is not None:
        edge = common | {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
        low, high = np.asarray(line.low, dtype=np.float64), np.asarray(line.high, dtype=np.float64)
        found.append(edge | _heights(low, log_y=log_y) | {"meta": {"series": colour, "role": "edge"}})
        band = {"fill": "tonexty", "meta": {"series": colour, "role": "band"}}
        found.append(edge | _heights(high, log_y=log_y) | band)
    full = item.full
    solid = item.y if full.all() else np.where(full, item.y, np.nan)
    found.append(
        common
        | _heights(solid, log_y=log_y)
        | {
            "mode": "lines" if np.isfinite(solid).sum() > 1 else "markers",
            "cliponaxis": bool(item.finite.sum() > 1),  # a lone point on an axis is drawn whole
            "line": {"width": 1 if line.faint else 2, "dash": dash},
            "showlegend": not line.faint,
            "meta": {"series": colour, "role": "faint" if line.faint else "line"}
            | ({"source": line.source} if line.source else {}),
        }
        | ({"hoverinfo": "skip"} if line.faint else _hover(item, slice(None)))
    )
    if not full.all():
        found.append(_tail(item, common, colour, "dash" if dash == "solid" else "dot", log_y=log_y))
    return found


def _hover(item: ReadLine, part: slice) -> dict[str, Any]:
    if item.line.n is None:
        return {"hovertemplate": "%{y:.5~g}"}
    n = np.asarray(item.line.n)
    if (n == n[0]).all():
        return {"hovertemplate": f"%{{y:.5~g}}, n = {n[0]}"}
    return {"hovertemplate": "%{y:.5~g}, n = %{text}", "text": [str(count) for count in n[part].tolist()]}


def _tail(item: ReadLine, common: dict[str, Any], colour: int, dash: str, *, log_y: bool) -> dict[str, Any]:
    """Draw the part of a line that has fewer runs behind it, joined to the rest."""
    fewer = ~item.full
    beside = fewer.copy()
    beside[1:] |= fewer[:-1]
    beside[:-1] |= fewer[1:]
    found = np.flatnonzero(beside)
    part = slice(int(found[0]), int(found[-1]) + 1)
    y = np.where(beside, item.y, np.nan)[part]
    return (
        common
        | {"x": numbers(item.x[part]), "showlegend": False, "mode": "lines" if len(found) > 1 else "markers"}
        | _heights(y, log_y=log_y)
        | {"line": {"width": 1.5, "dash": dash}, "meta": {"series": colour, "role": "pair"}}
        | _hover(item, part)
    )


def _heights(y: FloatArray, *, log_y: bool) -> dict[str, Any]:
    """Write y; on a log axis without what is not above 0, which Plotly would draw as a fall without end."""
    if log_y and (y <= 0).any():
        return {"y": numbers(np.where(y > 0, y, np.nan)), "customdata": numbers(y)}
    return {"y": numbers(y)}


def broken_trace(read: Sequence[ReadLine], x_title: str, *, log_y: bool) -> list[dict[str, Any]]:
    """Mark where a line breaks off: the first value not finite, and on a log axis the first at or below 0."""
    found = []
    for item in read:
        if not item.line.counts:
            continue
        found += _break(item, ~item.finite, "x", x_title, log_y=log_y)
        if log_y:
            found += _break(item, item.finite & (item.y <= 0), "triangle-down", x_title, log_y=True)
    if not found:
        return []
    x, y, symbols, texts = zip(*found, strict=True)
    return [{
        "type": "scatter", "mode": "markers", "name": "break", "x": list(x), "y": list(y),
        "text": list(texts), "hovertemplate": "%{text}<extra></extra>", "showlegend": False,
        "marker": {"symbol": list(symbols), "size": 9}, "meta": {"role": "broken"},
    }]  # fmt: skip


def _break(
    item: ReadLine, broken: NDArray[np.bool_], symbol: str, x_title: str, *, log_y: bool
) -> list[tuple[float, float, str, str]]:
    """Place the mark at the height of the last value that was drawn before it, or of the first after it."""
    drawn = item.finite & (item.y > 0) if log_y else item.finite
    if not broken.any() or not drawn.any():
        return []
    first = int(np.flatnonzero(broken)[0])
    before = np.flatnonzero(drawn[:first])
    height = item.y[before[-1]] if before.size else item.y[np.flatnonzero(drawn)[0]]
    value, at = number_text(float(item.y[first])), step_text(item.x[first])
    words = f"{escaped(item.line.name)}: {value} from {item.line.where}{x_title} {at}"
    return [(float(item.x[first]), float(height), symbol, words)]
