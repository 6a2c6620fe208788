"""Columns of a picture: what a chart draws of a window, with every extreme and every broken value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nnlab.series.batch import FloatArray, IntArray
from nnlab.series.pyramid import Buckets


@dataclass(frozen=True)
class Drawn:
    """A line as it is drawn.

    Shapes: ``steps`` and ``values`` (n,), ``marked_steps`` and ``marked_flags`` (m,).

    Args:
        values: NaN where a column holds no finite value: there the line is broken.
        marked_steps: of the columns that hold values that are not finite.
        marked_flags: which kinds of those, as in ``Buckets``.
    """

    steps: IntArray
    values: FloatArray
    marked_steps: IntArray
    marked_flags: NDArray[np.uint8]


@dataclass(frozen=True)
class Table:
    """Several series under common columns.

    Shapes: ``steps`` (m,), ``mean`` and ``maximum`` (n, m) of n series.

    Args:
        steps: the first of each column.
        mean: of the finite values; NaN where there is none.
        maximum: of the finite values; NaN where there is none.
    """

    steps: IntArray
    mean: FloatArray
    maximum: FloatArray


def with_points(sealed: Buckets, single: Buckets) -> Buckets:
    """Put single points among buckets, behind those of equal steps; each stays a bucket of its own if it can.

    A point that lies between the first and the last step of a bucket becomes a part of it.

    Args:
        sealed: buckets in the order of steps.
        single: buckets of one point, in the order of steps.
    """
    if not len(single):
        return sealed
    places = np.searchsorted(sealed.first_steps, single.first_steps, side="right") - 1
    ends = sealed.last_steps[places] if len(sealed) else single.first_steps
    apart = (places < 0) | (single.first_steps >= ends)
    order = np.argsort(np.concatenate([np.arange(len(sealed)), places]), kind="stable")
    starts = np.flatnonzero(np.concatenate([np.ones(len(sealed), np.bool_), apart])[order])
    every = Buckets.joined([sealed, single])[order]
    return replace(every.merged(starts), last_steps=np.maximum.reduceat(every.last_steps, starts))


def grouped(buckets: Buckets, columns: int) -> Buckets:
    """Merge buckets into at most so many columns, 2 or more, which are equally wide in steps.

    A bucket belongs to the column of its first step. Buckets that are few enough stay as they are.
    """
    if len(buckets) <= columns:
        return buckets
    places = _places(buckets, int(buckets.first_steps[0]), int(buckets.last_steps[-1]), columns)
    return buckets.merged(_starts(places))


def table(parts: Sequence[Buckets], columns: int) -> Table:
    """Put series under common columns, at most so many, 2 or more; those without points are left out."""
    held = [part for part in parts if len(part)]
    if not held:
        return Table(np.zeros(0, np.int64), np.zeros((len(parts), 0)), np.zeros((len(parts), 0)))
    steps = np.unique(np.concatenate([part.first_steps for part in held]))
    places: Sequence[NDArray[np.integer]]
    common: NDArray[np.integer]
    if len(steps) > columns:
        low, high = int(steps[0]), max(int(part.last_steps[-1]) for part in held)
        places = [_places(part, low, high, columns) for part in parts]
        steps = steps[_starts(_distances(steps, low) // _width(low, high, columns))]
        common = _distances(steps, low) // _width(low, high, columns)
    else:
        places, common = [part.first_steps for part in parts], steps
    mean, maximum = np.full((2, len(parts), len(steps)), np.nan)
    for row, (part, at) in enumerate(zip(parts, places, strict=True)):
        starts = _starts(at)
        merged, where = part.merged(starts), np.searchsorted(common, at[starts])
        mean[row, where], maximum[row, where] = merged.mean, merged.maximum
    return Table(steps, mean, maximum)


def drawn(buckets: Buckets) -> Drawn:
    """Draw columns as one line: at most two values each, both at its first step, so that nothing is between.

    The line enters a column at the end that faces the column before it, and ends at the last step.
    """
    double = buckets.maximum > buckets.minimum
    counts = 1 + double
    ends = np.cumsum(counts)
    starts = ends - counts
    upward = _rises(buckets.mean)
    values = np.empty(int(counts.sum()))
    values[starts] = np.where(upward, buckets.minimum, buckets.maximum)
    values[ends - 1] = np.where(upward, buckets.maximum, buckets.minimum)
    marked = buckets.flags > 0
    steps = np.repeat(buckets.first_steps, counts)
    steps[-1:] = buckets.last_steps[-1:]
    return Drawn(steps, values, buckets.first_steps[marked], buckets.flags[marked])


def extremes(parts: Sequence[Buckets], edges: IntArray) -> Buckets:
    """Merge several series over blocks of steps: what is lowest, highest and broken in any of them.

    Shapes: edges (m + 1,), increasing; block i holds the buckets that begin behind edges[i], and up to
    edges[i + 1]. Blocks without points are left out.
    """
    every = Buckets.joined(list(parts))
    places = np.searchsorted(edges, every.first_steps, side="left") - 1
    inside = (places >= 0) & (places < len(edges) - 1)
    order = np.argsort(np.where(inside, places, len(edges)), kind="stable")[: int(inside.sum())]
    merged = every[order].merged(_starts(places[order]))
    held = np.unique(places[order])
    return replace(merged, first_steps=edges[:-1][held] + 1, last_steps=edges[1:][held])


def _rises(means: FloatArray) -> NDArray[np.bool_]:
    """Tell where the columns around each are higher behind it than before it."""
    before, behind = np.append(means[:1], means[:-1]), np.append(means[1:], means[-1:])
    return np.where(np.isnan(behind), means, behind) >= np.where(np.isnan(before), means, before)


def _places(buckets: Buckets, low: int, high: int, columns: int) -> NDArray[np.uint64]:
    """Number the columns of buckets, where so many columns reach from the one step to the other."""
    return _distances(buckets.first_steps, low) // _width(low, high, columns)


def _distances(steps: IntArray, low: int) -> NDArray[np.uint64]:
    """Return how far steps lie behind one: that fits into 64 bits without a sign, whatever the steps are."""
    return steps.view(np.uint64) - np.array([low]).view(np.uint64)


def _width(low: int, high: int, columns: int) -> np.uint64:
    return np.uint64(-(-(high - low + 1) // columns))


def _starts(places: NDArray[np.generic]) -> NDArray[np.intp]:
    """Find where each column begins."""
    return np.flatnonzero(np.append(np.ones(min(len(places), 1), np.bool_), places[1:] != places[:-1]))
