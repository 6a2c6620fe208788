"""What stands under the curves of a comparison: what line, band and pale lines are, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnlab.stats.groups import GroupCurve
from runs.charts.curves import Line
from runs.pages.comparing.view import CompareView

if TYPE_CHECKING:
    from runs.pages.comparing.curves import Panel
    from runs.pages.comparing.series import RunCurves

X_NAMES = {"step": "step", "epoch": "epoch", "time": "time (s)", "examples": "training examples"}
X_TITLES = {"step": "steps", "epoch": "epochs", "time": "time", "examples": "training examples"}
_BANDS = {
    "ci95": "95 % t interval of the mean",
    "sd": "one standard deviation to either side",
    "se": "one standard error to either side",
    "minmax": "least to greatest seed",
    "quartiles": "first to third quartile",
}


def curve_caption(
    view: CompareView,
    panel: Panel,
    found: Sequence[GroupCurve],
    lines: Sequence[Line],
    series: RunCurves,
    *,
    banded: bool,
    share: bool,
) -> str:
    """Write the caption of one chart."""
    sentences = [_what(view, found, lines, banded=banded), *_extremes(view, panel, lines)]
    sentences += _cut(found, lines, banded=banded, share=share)
    if any(bool((curve.n[curve.n > 0] < curve.n.max()).any()) for curve in found):
        sentences.append(
            "Dashed where fewer seeds are left than elsewhere (dotted, if the line is dashed anyway):"
            " nothing is drawn on beyond the end of a run."
        )
    if diverged := sum(curve.diverged for curve in found):
        counts = "counts as the worst in the median" if view.agg == "median" else "is not in the means"
        sentences.append(f"{diverged} diverged, and from there on {counts}.")
    sentences += _left_out(view, panel, found, series)
    return " ".join(sentences)


def _what(view: CompareView, found: Sequence[GroupCurve], lines: Sequence[Line], *, banded: bool) -> str:
    if not any(curve.seeds > 1 for curve in found):
        return f"One seed: no interval.{_smoothing(view)}"
    band = f"band: {_BANDS[view.band]}" if banded else "no bands"
    if not banded and view.band != "none":
        band += " for so many groups"
    pale = "; pale: single runs" if any(line.faint and not line.extremes for line in lines) else ""
    return f"Line: {view.agg} over {_seeds(found)}; {band}{'' if view.smooth else pale}.{_smoothing(view)}"


def _seeds(found: Sequence[GroupCurve]) -> str:
    """Write how many seeds are behind a line; names tell the lines of fewer."""
    numbers = {curve.seeds for curve in found}
    return f"{max(numbers)} seeds" + (" (n where they are fewer)" if len(numbers) > 1 else "")


def _smoothing(view: CompareView) -> str:
    told = f" Smoothed over all points with weight {view.smooth:g}; pale: not smoothed."
    return told if view.smooth else ""


def _extremes(view: CompareView, panel: Panel, lines: Sequence[Line]) -> Iterator[str]:
    outer = sum(line.extremes for line in lines)
    if outer:
        whose = "each run" if outer > len(panel.drawn) else "the runs of each group"
        averaged = "" if view.smooth else ", over which lines average"
        yield f"Pale: the lowest and the highest value of {whose} in each block of steps{averaged}."


def _cut(found: Sequence[GroupCurve], lines: Sequence[Line], *, banded: bool, share: bool) -> Iterator[str]:
    if not banded:
        return
    if share and any(bool(((curve.low < 0) | (curve.high > 1)).any()) for curve in found):
        yield "The axis ends at 0 and 100 %, beyond which there is nothing, even if a band reaches there."
    bands = sum(bool(np.isfinite(curve.low).any()) for curve in found)
    if bands > sum(line.low is not None for line in lines):
        yield "A band that reaches 0 has no place on the log axis and is left out."


def _left_out(
    view: CompareView, panel: Panel, found: Sequence[GroupCurve], series: RunCurves
) -> Iterator[str]:
    if series.untrained:
        yield "The untrained network, step 0, is left out."
    if view.x == "time":
        yield "Time is the run's own clock where it keeps one, else its steps at its mean pace."
    hidden = f" {panel.hidden} are hidden;" if panel.hidden else ""
    if panel.groups - panel.hidden > len(found):
        drawn = f"The best {len(found)} of {panel.groups} groups are drawn"
        yield f"{drawn};{hidden} the list of groups has them all."
    elif hidden:
        yield f"{panel.hidden} of {panel.groups} groups hidden; the others are what they were."
    if panel.seeds_left_out:
        most = max(len(runs) for runs in panel.runs.values())
        yield f"Of groups with more runs the first {most} are drawn; the list of groups counts all of them."
