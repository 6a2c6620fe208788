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
_LABELS = {"color": "Colour by", "facet": "A chart for each", "dash": "Dash by"}
_UNASKED = {"color": "group", "facet": "all in one", "dash": "nothing"}
_LINES = {"mean": "mean of the seeds", "median": "median of the seeds"}
_AXES = {"step": "steps", "epoch": "epochs", "time": "time since the start", "examples": "training examples"}
# What a field does, for who reads of it for the first time.
HELP = {
    "color": "Groups with the same value share a colour; “group” gives each its own.",
    "facet": "Draws a chart for each value, all on one scale.",
    "dash": "Groups with the same value share a dash, beside their colour.",
    "agg": "What a line is at each point: a median is not moved by one seed that failed.",
    "band": "What lies around a line. The 95 % interval says where the mean over very many seeds would be.",
    "x": "Time is the run's own clock since it started, so that runs of different days lie over each other.",
    "smooth": "A moving average over every point: 0 is none, 0.9 much. The line without it stays, pale.",
    "ylog": "A logarithmic scale shows values that differ by factors of ten.",
}


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

    @property
    def help(self) -> str:
        """Say what it does; empty where its label does."""
        return HELP.get(self.name, "")


def controls(tab: Tab, view: CompareView, comparison: Comparison, metrics: Sequence[str]) -> list[Control]:
    """Return the fields that the tab asks for and that these runs leave a choice in."""
    return [one for one in _all(view, comparison, metrics) if one.name in tab.controls]


def _all(view: CompareView, comparison: Comparison, metrics: Sequence[str]) -> Iterator[Control]:
    yield Control("metric", "Metric", comparison.metric, [(name, metric_title(name)) for name in metrics])
    varied = [(factor, factor.replace("_", " ")) for factor in comparison.varied]
    for name, label in _LABELS.items():
        if varied:
            first = "metric" if name == "color" and view.tab == "parallel" else _UNASKED[name]
            options = [("", first), *varied]
            yield Control(name, label, getattr(view, name), options, further=name == "dash")
    yield Control("x", "Horizontal axis", view.x, [(name, _AXES[name]) for name in AXES])
    yield Control("agg", "Line", view.agg, [(name, _LINES[name]) for name in LINES], further=True)
    bands = BANDS if view.agg == LINES[0] else MEDIAN_BANDS
    yield Control("band", "Band", view.band, [(name, _BANDS[name]) for name in bands], further=True)
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
