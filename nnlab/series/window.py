"""Reduce a series to the few points that a chart can show, without losing an extreme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab.series.errors import SeriesError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MIN_COLUMNS = 4  # first, last, and the two extremes of one bucket


@dataclass(frozen=True)
class Window:
    """The points of a series to draw between two steps.

    Shapes: ``steps`` and ``values`` (n,), ``nonfinite_steps`` and ``nonfinite_values`` (m,); n and m are at
    most the columns asked for. Values are finite, steps do not fall, and every point is one of the series.

    Args:
        kind: ``raw`` if every finite point is there, else ``extremes``.
        count: finite points between the two steps, shown or not.
        nonfinite_steps: where the value was NaN or infinite: all of them, or the first of each bucket.
        nonfinite_count: how many such steps there are in all.
    """

    steps: IntArray
    values: FloatArray
    kind: Literal["raw", "extremes"]
    count: int
    nonfinite_steps: IntArray
    nonfinite_values: FloatArray
    nonfinite_count: int


def window(
    steps: ArrayLike, values: ArrayLike, columns: int, first: int | None = None, last: int | None = None
) -> Window:
    """Keep at most ``columns`` points: the first, the last, and each bucket's lowest and highest.

    Buckets are equally wide in steps, so they are columns of the picture; an empty one costs nothing. Each
    extreme stays at its own step, the earliest where several are equal. The same input gives the same output.

    Args:
        steps: (n,) integers that do not fall; a step may be repeated.
        values: (n,) floats, NaN and infinities among them.
        columns: at least 4.
        first: leave out points before this step.
        last: leave out points after this step.

    Raises:
        SeriesError: for shapes that differ, steps that fall, or too few columns.
    """
    all_steps, all_values = _checked(steps, values)
    if not columns >= MIN_COLUMNS:
        raise SeriesError(f"expected at least {MIN_COLUMNS} columns, got {columns}")
    if first is not None and last is not None and first > last:
        raise SeriesError(f"expected first <= last, got first {first} and last {last}")
    start = 0 if first is None else int(np.searchsorted(all_steps, first, side="left"))
    stop = len(all_steps) if last is None else int(np.searchsorted(all_steps, last, side="right"))
    chosen_steps, chosen_values = all_steps[start:stop], all_values[start:stop]

    finite = np.isfinite(chosen_values)
    bad_steps, bad_values = chosen_steps[~finite], chosen_values[~finite]
    bad = _bucket_starts(bad_steps, columns) if len(bad_steps) > columns else slice(None)
    good_steps, good_values = chosen_steps[finite], chosen_values[finite]
    good = _extremes(good_steps, good_values, columns) if len(good_steps) > columns else slice(None)
    return Window(
        steps=good_steps[good],
        values=good_values[good],
        kind="raw" if isinstance(good, slice) else "extremes",
        count=len(good_steps),
        nonfinite_steps=bad_steps[bad],
        nonfinite_values=bad_values[bad],
        nonfinite_count=len(bad_steps),
    )


def _checked(steps: ArrayLike, values: ArrayLike) -> tuple[IntArray, FloatArray]:
    step_array = np.asarray(steps)
    value_array = np.asarray(values, np.float64)
    if step_array.ndim != 1 or step_array.shape != value_array.shape:
        raise SeriesError(f"expected one step a value, got shapes {step_array.shape} and {value_array.shape}")
    if step_array.size and (step_array.dtype.kind not in "iu" or step_array.dtype == np.uint64):
        raise SeriesError(f"expected integer steps, got {step_array.dtype}")
    step_array = step_array.astype(np.int64, copy=False)
    falls = np.flatnonzero(step_array[1:] < step_array[:-1])
    if falls.size:
        at = int(falls[0])
        raise SeriesError(
            f"expected steps that do not fall, got {step_array[at + 1]} after {step_array[at]} "
            f"at position {at + 1}; sort the points"
        )
    return step_array, value_array


def _bucket_starts(steps: IntArray, buckets: int) -> NDArray[np.intp]:
    """Find where each bucket that has points begins; buckets are equally wide between first and last step."""
    low, high = int(steps[0]), int(steps[-1])
    span = high - low + 1  # Python integers: steps may lie further apart than int64 can say
    edges = (low + -(-bucket * span // buckets) for bucket in range(buckets))
    # Where there are fewer steps than buckets, the last of these begin behind every point.
    return np.unique(np.searchsorted(steps, np.array([edge for edge in edges if edge <= high], np.int64)))


def _extremes(steps: IntArray, values: FloatArray, columns: int) -> NDArray[np.intp]:
    """Find the positions of the first point, the last one, and each bucket's lowest and highest."""
    starts = _bucket_starts(steps, (columns - 2) // 2)
    counts = np.diff(starts, append=len(values))
    kept = [np.array([0, len(values) - 1])]
    for reduce in (np.minimum.reduceat, np.maximum.reduceat):
        hits = np.flatnonzero(values == np.repeat(reduce(values, starts), counts))
        kept.append(hits[np.searchsorted(hits, starts)])
    return np.unique(np.concatenate(kept))
