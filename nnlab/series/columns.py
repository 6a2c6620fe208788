"""Columns of a picture: what a chart draws of a window, with every extreme and every broken value."""

from __future__ import annotations

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
    span = int(buckets.last_steps[-1]) - int(buckets.first_steps[0]) + 1
    width = -(-span // columns)
    # Distances of steps fit into 64 bits without a sign, whatever the steps are.
    distances = buckets.first_steps.view(np.uint64) - buckets.first_steps[:1].view(np.uint64)
    places = distances // np.uint64(width)
    return buckets.merged(np.flatnonzero(np.append(True, places[1:] != places[:-1])))


def drawn(buckets: Buckets) -> Drawn:
    """Draw columns as one line: at most two values each, both at its first step, so that nothing is between.

    The line enters a column at the end that faces the column before it.
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
    return Drawn(
        np.repeat(buckets.first_steps, counts), values, buckets.first_steps[marked], buckets.flags[marked]
    )


def _rises(means: FloatArray) -> NDArray[np.bool_]:
    """Tell where the columns around each are higher behind it than before it."""
    before, behind = np.append(means[:1], means[:-1]), np.append(means[1:], means[-1:])
    return np.where(np.isnan(behind), means, behind) >= np.where(np.isnan(before), means, before)
