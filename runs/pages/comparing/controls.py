"""The fields of the form above a comparison, as the tab asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runs.pages.comparing.comparison import Comparison
from runs.pages.comparing.view import AXES, BANDS, LINES, MAX_SMOOTHING, MEDIAN_BANDS, CompareView, Tab
from runs.pages.formats import metric_title

_BANDS = {
    "ci95": "95 % interval",
    "sd": "std. deviation",
    "se": "std. error",
    "minmax": "min to max",
    "quartiles": "quartiles",
    "none": "none",
}
_LABELS = {"color": "Colour", "dash": "Dash", "facet": "Facet"}


@dataclass(frozen=True)
class Control:
    """One field: a list of options, each a value with its words, or else a number.

    Args:
        bounds: least, greatest and step of a number, as HTML writes them.
        further: is among those that few need.
    """

    name: str
    label: str
    value: str
    options: Sequence[tuple[str, str]] = ()
    bounds: tuple[str, str, str] = ("", "", "any")
    further: bool = False


def controls(tab: Tab, view: CompareView, comparison: Comparison, metrics: Sequence[str]) -> list[Control]:
    """Return the fields that the tab asks for and that these runs leave a choice in."""
    return [one for one in _all(view, comparison, metrics) if one.name in tab.controls]


def _all(view: CompareView, comparison: Comparison, metrics: Sequence[str]) -> Iterator[Control]:
    yield Control("metric", "Metric", comparison.metric, [(name, metric_title(name)) for name in metrics])
    varied = [(factor, factor.replace("_", " ")) for factor in comparison.varied]
    for name, label in _LABELS.items():
        if varied:
            unasked = "by metric" if view.tab == "parallel" else "by group"
            first = unasked if name == "color" else "none"
            yield Control(name, label, getattr(view, name), [("", first), *varied])
    yield Control("agg", "Line", view.agg, [(name, name) for name in LINES])
    bands = BANDS if view.agg == LINES[0] else MEDIAN_BANDS
    yield Control("band", "Band", view.band, [(name, _BANDS[name]) for name in bands])
    yield Control("x", "Over", view.x, [(name, name) for name in AXES])
    ylog = "" if view.ylog is None else str(int(view.ylog))
    scales = [("", "as it fits"), ("0", "linear"), ("1", "logarithmic")]
    yield Control("ylog", "Scale", ylog, scales, further=True)
    smooth = f"{view.smooth:g}" if view.smooth else ""
    bounds = ("0", str(MAX_SMOOTHING), "0.01")
    yield Control("smooth", "Smoothing, 0 to 0.99", smooth, bounds=bounds, further=True)
    for name, edge in (("from", view.first), ("to", view.last)):
        yield Control(
            name, f"{view.x.capitalize()} {name}", "" if edge is None else f"{edge:.12g}", further=True
        )
