"""The series of a comparison: read for the runs that are drawn, on common steps and on the axis chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnlab.series.batch import CLOCK
from nnlab.series.columns import extremes
from nnlab.series.pyramid import Buckets
from nnlab.series.smoothing import smoothed
from runs.pages.comparing.view import CompareView
from runs.reading.comparison import RunRow, points_of
from runs.reading.series import read_series
from runs.reading.windows import MAX_POINTS, MAX_SERIES, SeriesWindow, block_means, line_of, read_windows

BLOCKS = 150  # steps of a curve that has a point at every step
_EVERY_STEP = 400  # points of a series from which it is averaged over blocks
_FAR = 2.0**53  # steps further off than this are not told apart

FloatArray: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = tuple[FloatArray, FloatArray]  # x and values


@dataclass(frozen=True)
class RunCurves:
    """The curves of runs, by run.

    Args:
        raw: as they were recorded, thinned to what a screen shows.
        pale: the lowest and the highest value of each block, where curves were averaged over blocks; of runs
            that have fewer points none.
        windows: of these runs, and ``edges`` of the blocks; for the extremes of several of them.
        smooth: smoothed over all points, and only then thinned; empty where no smoothing was asked for.
        skipped: runs that have the metric and no such axis.
        untrained: whether step 0 was left out.
    """

    raw: Mapping[int, Curve]
    smooth: Mapping[int, Curve]
    pale: Mapping[int, Curve]
    windows: Mapping[int, SeriesWindow]
    edges: NDArray[np.int64] | None = None
    skipped: int = 0
    untrained: bool = False

    def extremes(self, run_ids: Iterable[int]) -> Curve | None:
        """Return the lowest and the highest value of any of these runs in each block; None without blocks."""
        parts = [self.windows[run_id].read for run_id in run_ids if run_id in self.windows]
        return None if self.edges is None or not parts else _outer(parts, self.edges)


def read_curves(
    runs: Sequence[RunRow], metric: str, view: CompareView, warnings: list[str] | None = None
) -> RunCurves:
    """Read the curves of runs in a handful of queries, however long they are."""
    first, last = _steps(view)
    windows = {
        window.run_id: window
        for start in range(0, len(runs), MAX_SERIES)
        for window in read_windows(
            [run.pk for run in runs[start : start + MAX_SERIES]], [metric],
            columns=2 * BLOCKS, first=first, last=last, layers=(),
        )
        if len(window.read)
    }  # fmt: skip
    trained = {run_id: _trained(window) for run_id, window in windows.items()}
    edges = _edges(list(trained.values()))
    raw = {run_id: _thinned(window, edges) for run_id, window in trained.items()}
    smooth = _smooth(list(raw), metric, view, edges, [] if warnings is None else warnings)
    untrained = any(len(windows[run_id].read) != len(window.read) for run_id, window in trained.items())
    ended = {run.pk: run for run in runs}
    axis = _Axis(view, [ended[run_id] for run_id in raw])
    placed = {run_id: axis.placed(ended[run_id], curve) for run_id, curve in raw.items()}
    skipped = axis.skipped
    outer = {} if edges is None else {pk: _outer([window.read], edges) for pk, window in trained.items()}
    return RunCurves(
        {run_id: curve for run_id, curve in placed.items() if curve is not None},
        {run_id: found for run_id, curve in smooth.items() if (found := axis.placed(ended[run_id], curve))},
        {run_id: found for run_id, curve in outer.items() if (found := axis.placed(ended[run_id], curve))},
        trained,
        edges,
        skipped=skipped,
        untrained=untrained,
    )


def _steps(view: CompareView) -> tuple[int | None, int | None]:
    """Return the window in steps; other axes are cut after they are known."""
    if view.x != "step":
        return None, None
    first, last = (None if edge is None else max(-_FAR, min(_FAR, edge)) for edge in (view.first, view.last))
    return (None if first is None else int(np.floor(first))), (None if last is None else int(np.ceil(last)))


def _trained(window: SeriesWindow) -> SeriesWindow:
    """Leave out step 0 where later steps are known: an untrained network would set the scale of the axis."""
    read = window.read
    if read.first_steps[0] > 0 or read.last_steps[0] > 0 or len(read) < 2:
        return window
    return replace(window, read=read[1:])


def _edges(windows: Sequence[SeriesWindow]) -> NDArray[np.int64] | None:
    """Choose common blocks where a series has a point at nearly every step; None where steps can stay."""
    if max((window.read.points for window in windows), default=0) < _EVERY_STEP:
        return None
    last = max(int(window.read.last_steps[-1]) for window in windows)
    first = min(int(window.read.first_steps[0]) for window in windows) - 1
    return np.unique(np.linspace(first, last, BLOCKS + 1).round().astype(np.int64))


def _thinned(window: SeriesWindow, edges: NDArray[np.int64] | None) -> Curve:
    read = window.read
    steps, values = (read.first_steps, read.mean) if edges is None else block_means(read, edges)
    return steps.astype(np.float64), values


def _outer(parts: Sequence[Buckets], edges: NDArray[np.int64]) -> Curve:
    steps, values = line_of(extremes(parts, edges))
    return steps.astype(np.float64), values


def _smooth(
    run_ids: Sequence[int],
    metric: str,
    view: CompareView,
    edges: NDArray[np.int64] | None,
    warnings: list[str],
) -> dict[int, Curve]:
    if not view.smooth:
        return {}
    if (points := points_of(run_ids, metric)) > MAX_POINTS:
        warnings.append(
            f"Nothing was smoothed: smooth={view.smooth:g} needs every one of {points:,} points, and at most"
            f" {MAX_POINTS:,} are read for a page. Hide groups or choose fewer runs."
        )
        return {}
    found = {}
    first, last = _steps(view)
    for one in read_series(run_ids, [metric]):
        if one.layer is None and len(one.steps):
            start = 1 if one.steps[0] == 0 and len(one.steps) > 1 else 0
            steps = one.steps[start:]
            values = smoothed(one.values[start:], view.smooth, steps)
            held = _held(steps, edges)
            inside = (steps[held] >= (steps[0] if first is None else first)) & (
                steps[held] <= (steps[-1] if last is None else last)
            )
            found[one.run_id] = steps[held][inside].astype(np.float64), values[held][inside]
    return {run_id: curve for run_id, curve in found.items() if len(curve[0])}


def _held(steps: NDArray[np.int64], edges: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the places of the last point of each block."""
    if edges is None:
        return np.arange(len(steps))
    ends = np.searchsorted(steps, edges, side="right")
    return np.unique(ends[1:][ends[1:] > ends[:-1]]) - 1


class _Axis:
    """Turns steps into what is on the axis: epochs, seconds or examples."""

    def __init__(self, view: CompareView, runs: Sequence[RunRow]) -> None:
        self._view = view
        self.skipped = 0
        self._clocks = _clocks([run.pk for run in runs]) if view.x == "time" else {}
        self._now = datetime.now(UTC)

    def placed(self, run: RunRow, curve: Curve) -> Curve | None:
        """Put a curve on the axis; None where the run has no such axis or nothing in the range."""
        steps, values = curve
        if run.diverged and np.isfinite(values[-1]) and run.steps_run > steps[-1] and self._is_open():
            steps, values = np.append(steps, float(run.steps_run)), np.append(values, np.nan)
        if self._view.x == "step":
            return steps, values
        x = self._x(run, steps)
        if x is None:
            self.skipped += 1
            return None
        inside = np.ones(len(x), bool)
        if self._view.first is not None:
            inside &= x >= self._view.first
        if self._view.last is not None:
            inside &= x <= self._view.last
        # A clock may be set back; of two values at one step the second stays where it is.
        rises = np.concatenate([[True], (x[1:] > np.maximum.accumulate(x)[:-1]) | (np.diff(steps) == 0)])
        return (x[inside & rises], values[inside & rises]) if (inside & rises).any() else None

    def _is_open(self) -> bool:
        return self._view.last is None

    def _x(self, run: RunRow, steps: FloatArray) -> FloatArray | None:
        if self._view.x == "epoch":
            return steps / run.steps_per_epoch if run.steps_per_epoch else None
        if self._view.x == "examples":
            return steps * run.batch_size if run.batch_size else None
        if (clock := self._clocks.get(run.pk)) is not None:
            return np.interp(steps, *clock)
        if run.started_at is None or not run.steps_run:
            return None
        seconds = ((run.ended_at or self._now) - run.started_at).total_seconds()
        return steps * (seconds / run.steps_run)


def _clocks(run_ids: Sequence[int]) -> dict[int, Curve]:
    """Read the clocks of runs that keep one: seconds since they began."""
    windows = (
        window
        for start in range(0, len(run_ids), MAX_SERIES)
        for window in read_windows(run_ids[start : start + MAX_SERIES], [CLOCK[0]], columns=2 * BLOCKS)
        if len(window.read)
    )
    return {
        window.run_id: (window.read.first_steps.astype(np.float64), window.read.mean / 1000)
        for window in windows
    }
