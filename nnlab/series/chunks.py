"""Chunks: up to 4,096 points of a series as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnlab.series.batch import FloatArray, IntArray, Points
from nnlab.series.codec import decode, decode_steps, encode, encode_steps
from nnlab.series.errors import SeriesError


@dataclass(frozen=True)
class SealedChunk:
    """Points of a series as they are stored.

    Args:
        start: points of the series before the chunk.
        points: in the chunk.
        first_step: of its first point.
        last_step: of its last point.
        steps: encoded; None where they are regular and so follow from the other fields.
        data: the values, encoded.
    """

    start: int
    points: int
    first_step: int
    last_step: int
    steps: bytes | None
    data: bytes

    @classmethod
    def packed(cls, start: int, steps: IntArray, values: FloatArray) -> SealedChunk:
        """Encode points."""
        first, last = int(steps[0]), int(steps[-1])
        regular = np.array_equal(_regular(first, last, len(steps)), steps)
        return cls(start, len(steps), first, last, None if regular else encode_steps(steps), encode(values))

    def unpacked(self) -> Points:
        """Decode the points.

        Raises:
            SeriesError: for blobs that are cut or changed, or that do not hold what the fields say.
        """
        steps, values = self.unpacked_steps(), decode(self.data)
        if not len(steps) == len(values) == self.points:
            raise SeriesError(
                f"expected a chunk of {self.points} points, got {len(steps)} steps and {len(values)} values"
            )
        return steps, values

    def unpacked_steps(self) -> IntArray:
        """Decode the steps only.

        Raises:
            SeriesError: for a blob that is cut or changed.
        """
        if self.steps is None:
            return _regular(self.first_step, self.last_step, self.points)
        return decode_steps(self.steps)


def points_from(chunks: Sequence[SealedChunk], start: int) -> Points:
    """Decode chunks and leave out the points before a place."""
    if not chunks:
        return no_points()
    steps, values = joined([chunk.unpacked() for chunk in chunks])
    skipped = max(start - chunks[0].start, 0)
    return steps[skipped:], values[skipped:]


def joined(parts: Sequence[Points]) -> Points:
    """Put points behind each other."""
    if not parts:
        return no_points()
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([steps for steps, _ in parts]), np.concatenate([values for _, values in parts])


def no_points() -> Points:
    """Return no points."""
    return np.zeros(0, np.int64), np.zeros(0)


def _regular(first: int, last: int, points: int) -> IntArray:
    """Return evenly spaced steps; what stands between is wrong where they are not even."""
    stride = (last - first) // max(points - 1, 1)
    if stride >= 2**62 // points:
        return np.zeros(0, np.int64)  # of no use: the numbers would not fit
    return first + stride * np.arange(points, dtype=np.int64)
