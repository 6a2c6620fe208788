"""Parallel coordinates: every setting that was varied, what a group took, and how it did, in one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runs.charts.chart import Chart, thinned
from runs.charts.parallel import Axis, parallel
from runs.pages.comparing.comparison import Comparison, Group, level_text, named_level
from runs.pages.comparing.tradeoff import mean_cost
from runs.pages.comparing.view import CompareView
from runs.pages.formats import metric_title, sentence

FIELDS = ("p.",)
MAX_DRAWN = 150  # lines within the ranges, and as many beside them
LOG_DECADES = 1.5  # an axis that spans more is logarithmic unless the address says otherwise
_MAY_BE_LOG = ("learning_rate", "parameters", "time", "steps", "metric")
_COSTS = {"parameters": "parameters", "time": "time (s)", "steps": "steps"}
_SCALES = ("", "log", "linear")
_MEASURE = "metric"


@dataclass(frozen=True)
class Ranged:
    """An axis with what the address wants of it.

    Args:
        key: in the address.
        names: its values, where they are not all numbers.
        low: least that is shown in colour; None for the start. Likewise high.
        only: the one name that is; empty for all.
        scale: log, linear, or empty to let the values decide.
    """

    key: str
    title: str
    values: Sequence[float | str | None]
    names: Sequence[str] = field(default_factory=tuple)
    low: float | None = None
    high: float | None = None
    only: str = ""
    scale: str = ""
    flip: bool = False

    @property
    def log(self) -> bool:
        """Whether the axis is logarithmic."""
        numbers = [value for value in self.values if isinstance(value, int | float) and math.isfinite(value)]
        if self.names or not numbers or min(numbers) <= 0 or self.scale == "linear":
            return False
        spans = self.key in _MAY_BE_LOG and max(numbers) > min(numbers) * 10**LOG_DECADES
        return self.scale == "log" or spans

    @property
    def bounds(self) -> tuple[str, str]:
        """The range as a form writes it."""
        low, high = ("" if bound is None else f"{bound:.12g}" for bound in (self.low, self.high))
        return low, high

    def holds(self, value: float | str | None) -> bool:
        """Whether a line with this value is within the range."""
        if self.names:
            return not self.only or str(value) == self.only
        if self.low is None and self.high is None:
            return True
        if not isinstance(value, int | float):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def parallel_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Build the tab of parallel coordinates."""
    axes = [_ranged(axis, view.extra, warnings) for axis in _axes(comparison)]
    _warn_of_strangers(axes, view.extra, warnings)
    return {
        "parallel": _chart(comparison, view, axes),
        "axes": axes,
        "axes_set": any(text for name, text in view.extra.items() if name.startswith(FIELDS)),
        "axes_kept": [pair for pair in view.pairs() if not pair[0].startswith(FIELDS)],
        "axes_reset": view.address(extra={name: "" for name in view.extra if name.startswith(FIELDS)}),
    }


def _axes(comparison: Comparison) -> list[Ranged]:
    """Find what differs between the groups: settings, costs, and the metric last."""
    groups = comparison.groups
    axes = [
        _axis(factor, factor.replace("_", " "), [group.levels[factor] for group in groups])
        for factor in comparison.varied
    ]
    for cost, title in _COSTS.items():
        values = [mean_cost(group, cost) for group in groups]
        if len({value for value in values if value is not None}) > 1:
            axes.append(Ranged(cost, title, values))
    means = [group.interval.mean * comparison.scale if group.interval else None for group in groups]
    return [*axes, Ranged(_MEASURE, comparison.value_title, means)]


def _axis(factor: str, title: str, levels: Sequence[Any]) -> Ranged:
    if all(isinstance(level, int | float) for level in levels):
        return Ranged(factor, title, levels)
    texts = [level_text(factor, level) for level in levels]
    return Ranged(factor, title, texts, names=sorted(set(texts)))


def _ranged(axis: Ranged, given: Mapping[str, str], warnings: list[str]) -> Ranged:
    """Read what the address says of an axis."""
    said = {part: given.get(f"p.{axis.key}.{part}", "") for part in ("min", "max", "only", "scale", "flip")}
    low, high = (_number(f"p.{axis.key}.{part}", said[part], warnings) for part in ("min", "max"))
    if low is not None and high is not None and low > high:
        warnings.append(f"p.{axis.key}: the least, {low:g}, is above the most, {high:g}; all is shown.")
        low = high = None
    only, scale = said["only"], said["scale"]
    if only and only not in axis.names:
        warnings.append(f"p.{axis.key}.only={only[:60]} is not among these runs.")
        only = ""
    if scale not in _SCALES:
        warnings.append(f"p.{axis.key}.scale={scale[:60]} is not known; expected log or linear.")
        scale = ""
    return Ranged(
        axis.key, axis.title, axis.values, axis.names, low, high, only, scale, flip=said["flip"] == "1"
    )


def _number(name: str, text: str, warnings: list[str]) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    warnings.append(f"{name}={text[:60]} is not a number; it was left out.")
    return None


def _warn_of_strangers(axes: Sequence[Ranged], given: Mapping[str, str], warnings: list[str]) -> None:
    known = {f"p.{axis.key}.{part}" for axis in axes for part in ("min", "max", "only", "scale", "flip")}
    strange = [name for name in given if name.startswith(FIELDS) and name not in known]
    if strange:
        warnings.append(f"{', '.join(strange[:3])[:100]}: these runs have no such axis.")


def _chart(comparison: Comparison, view: CompareView, axes: Sequence[Ranged]) -> Chart:
    groups = comparison.groups
    inside = [all(axis.holds(axis.values[place]) for axis in axes) for place in range(len(groups))]
    drawn = _drawn(inside)
    levels = comparison.factors.get(view.color, ())
    named = {level: (place, named_level(view.color, level)) for place, level in enumerate(levels)}
    return parallel(
        "parallel",
        f"Settings and {metric_title(comparison.metric)}",
        [Axis(axis.title, [axis.values[at] for at in drawn], log=axis.log, flip=axis.flip) for axis in axes],
        [groups[at].label for at in drawn],
        inside=[inside[at] for at in drawn],
        higher=comparison.higher,
        levels=[named[groups[at].levels[view.color]] for at in drawn] if view.color else (),
        caption=_caption(comparison, view, groups, sum(inside), len(drawn)),
    )


def _drawn(inside: Sequence[bool]) -> list[int]:
    """Choose the lines to draw, evenly by rank: as many within the ranges as beside them."""
    chosen: list[int] = []
    for wanted in (True, False):
        places = [place for place, one in enumerate(inside) if one == wanted]
        chosen += [places[at] for at in thinned(len(places), MAX_DRAWN)]
    return sorted(chosen)


def _caption(
    comparison: Comparison, view: CompareView, groups: Sequence[Group], inside: int, drawn: int
) -> str:
    better = "higher" if comparison.higher else "lower"
    text = f"A line is a group: its mean over seeds; {better} {metric_title(comparison.metric)} is better."
    if not view.color:
        text += " From blue over grey to orange: from the least value to the greatest."
    else:
        text += f" A colour for each {view.color.replace('_', ' ')}."
    if drawn < len(groups):
        text += (
            f" {drawn} of {len(groups)} lines are drawn, evenly chosen by rank;"
            f" {inside} groups are within the ranges."
        )
    if any(group.interval is None for group in groups):
        text += f" {sentence('lines that end at “no value” diverged or have no result.')}"
    return text
