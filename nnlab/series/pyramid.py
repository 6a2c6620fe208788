"""The pyramid above a series: buckets of 64 points, of 512, of 4,096, ..., with their extremes and means.

Buckets count points from the start of the series, in the order of steps. A row holds up to 512 of them, so
that a window of any width is drawn from a few rows. Minima and maxima are exact; values that are not finite
are left out of them and counted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnlab.series.batch import FloatArray, IntArray
from nnlab.series.codec import decode_steps, encode_steps
from nnlab.series.errors import SeriesError

NAN, POSITIVE, NEGATIVE = 1, 2, 4  # flags: what a bucket holds besides finite values

_ROW = struct.Struct("<BBH")  # version, shape, buckets
_CHECKSUM = struct.Struct("<I")
_VERSION = 1
_WIDE, _BROKEN = 1, 2  # shape: float64 instead of float32, values that are not finite


@dataclass(frozen=True)
class Layout:
    """How many points go into a chunk and into a bucket, how many buckets into a larger one and a row.

    A row holds a multiple of the fanout.
    """

    chunk: int = 4096
    bucket: int = 64
    fanout: int = 8
    row: int = 512

    def bucket_points(self, level: int) -> int:
        """Return the points of a full bucket of a level; level 0 is the finest."""
        size: int = self.bucket * self.fanout**level
        return size

    def row_points(self, level: int) -> int:
        """Return the points of a full row of a level."""
        return self.row * self.bucket_points(level)


LAYOUT = Layout()


@dataclass(frozen=True)
class Buckets:
    """Neighbouring buckets, in the order of steps.

    Shapes: all (n,).

    Args:
        first_steps: step of each bucket's first point.
        last_steps: step of its last point.
        counts: points, finite or not.
        minimum: least finite value; NaN where there is none.
        maximum: greatest finite value; NaN where there is none.
        mean: of the finite values, rounded; NaN where there is none.
        nonfinite: points that are not finite.
        flags: which kinds of those: NAN, POSITIVE and NEGATIVE infinity, added.
    """

    first_steps: IntArray
    last_steps: IntArray
    counts: IntArray
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    nonfinite: IntArray
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, which: slice | NDArray[np.generic]) -> Buckets:
        return Buckets(*(column[which] for column in self.columns()))  # type: ignore[arg-type]

    def columns(self) -> list[NDArray[np.generic]]:
        """Return the columns, in their order."""
        every = (self.first_steps, self.last_steps, self.counts, self.minimum, self.maximum, self.mean)
        return [*every, self.nonfinite, self.flags]

    @property
    def points(self) -> int:
        """Points in all buckets."""
        return int(self.counts.sum())

    @classmethod
    def of_points(cls, steps: IntArray, values: FloatArray, size: int) -> Buckets:
        """Put every ``size`` points into a bucket; the last one may hold fewer."""
        if size == 1:
            return cls._single(steps, values)
        starts = np.arange(0, len(steps), size)
        if len(steps) and len(steps) % size == 0:
            with np.errstate(over="ignore", invalid="ignore"):
                means = np.add.reduceat(values, starts) / size
            if np.isfinite(means).all():  # then so are the values
                return cls._full(steps, values, starts, means)
        return cls._single(steps, values).merged(starts)

    @classmethod
    def joined(cls, parts: Sequence[Buckets]) -> Buckets:
        """Put buckets behind each other."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns)) if parts else cls.none()

    @classmethod
    def none(cls) -> Buckets:
        """Return no buckets."""
        return cls._single(np.zeros(0, np.int64), np.zeros(0))

    def merged(self, starts: NDArray[np.integer]) -> Buckets:
        """Merge buckets into larger ones, which begin at these places; the first has to be 0."""
        if not len(starts):
            return self
        counts = np.add.reduceat(self.counts, starts)
        nonfinite = np.add.reduceat(self.nonfinite, starts)
        ends = np.append(starts[1:], len(self)) - 1
        return Buckets(
            self.first_steps[starts],
            self.last_steps[ends],
            counts,
            np.fmin.reduceat(self.minimum, starts),
            np.fmax.reduceat(self.maximum, starts),
            self._means(starts, counts - nonfinite),
            nonfinite,
            np.bitwise_or.reduceat(self.flags, starts),
        )

    @classmethod
    def _single(cls, steps: IntArray, values: FloatArray) -> Buckets:
        finite = np.isfinite(values)
        counts = np.ones(len(steps), np.int64)
        if finite.all():
            return cls(
                steps, steps, counts, values, values, values, counts - 1, np.zeros(len(steps), np.uint8)
            )
        kept = np.where(finite, values, np.nan)
        flags = NAN * np.isnan(values) + POSITIVE * (values == np.inf) + NEGATIVE * (values == -np.inf)
        broken = (~finite).astype(np.int64)
        return cls(steps, steps, counts, kept, kept, kept, broken, flags.astype(np.uint8))

    @classmethod
    def _full(
        cls, steps: IntArray, values: FloatArray, starts: NDArray[np.integer], means: FloatArray
    ) -> Buckets:
        number, size = len(starts), len(steps) // len(starts)
        return cls(
            steps[::size].copy(),  # a view would keep all steps in memory
            steps[size - 1 :: size].copy(),
            np.full(number, size),
            np.minimum.reduceat(values, starts),
            np.maximum.reduceat(values, starts),
            means,
            np.zeros(number, np.int64),
            np.zeros(number, np.uint8),
        )

    def _means(self, starts: NDArray[np.integer], finite: IntArray) -> FloatArray:
        """Weigh means by their shares, which cannot overflow as a sum can."""
        groups = np.diff(np.append(starts, len(self)))
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = (self.counts - self.nonfinite) / np.repeat(finite, groups)
        parts = np.where(self.counts > self.nonfinite, self.mean * shares, 0.0)
        return np.where(finite > 0, np.add.reduceat(parts, starts), np.nan)


@dataclass(frozen=True)
class PyramidRow:
    """Buckets of one level as they are stored.

    Args:
        level: 0 for the finest.
        start: points of the series before the row.
        points: in the row.
        first_step: of its first point.
        last_step: of its last point.
        steps: first and last step of each bucket, encoded; None where they follow from the other fields.
        data: the rest of each bucket, encoded.
    """

    level: int
    start: int
    points: int
    first_step: int
    last_step: int
    steps: bytes | None
    data: bytes

    @classmethod
    def packed(cls, level: int, start: int, buckets: Buckets, size: int) -> PyramidRow:
        """Encode buckets of ``size`` points, of which the last may hold fewer."""
        points = buckets.points
        first, last = int(buckets.first_steps[0]), int(buckets.last_steps[-1])
        edges = np.stack([buckets.first_steps, buckets.last_steps], axis=1)
        follows = np.array_equal(_edges(first, last, points, size), edges)
        steps = None if follows else encode_steps(edges.reshape(-1))
        return cls(level, start, points, first, last, steps, _packed(buckets))

    def unpacked(self, size: int) -> Buckets:
        """Decode the buckets.

        Raises:
            SeriesError: for a row that is cut, changed, or that does not hold what its fields say.
        """
        number = -(-self.points // size)
        minimum, maximum, mean, nonfinite, flags = _unpacked(self.data, number)
        if self.steps is None:
            edges = _edges(self.first_step, self.last_step, self.points, size)
        else:
            edges = decode_steps(self.steps).reshape(-1, 2)
        if len(edges) != number:
            raise SeriesError(f"expected the steps of {number} buckets, got those of {len(edges)}")
        counts = np.full(number, size)
        counts[-1] = self.points - size * (number - 1)
        return Buckets(edges[:, 0], edges[:, 1], counts, minimum, maximum, mean, nonfinite, flags)


def _edges(first: int, last: int, points: int, size: int) -> IntArray:
    """Compute the edges of buckets whose points are regular, (n, 2); of others they are wrong."""
    stride = (last - first) // max(points - 1, 1)
    if not abs(stride) < 2**62 // max(points, 1):
        return np.zeros((0, 2), np.int64)  # of no use: the numbers would not fit
    starts = np.arange(0, points, size)
    ends = np.minimum(starts + size, points) - 1
    return first + stride * np.stack([starts, ends], axis=1)


def _packed(buckets: Buckets) -> bytes:
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = [column.astype("<f4") for column in (buckets.minimum, buckets.maximum, buckets.mean)]
    is_narrow = np.array_equal(narrow[0], buckets.minimum, equal_nan=True) and np.array_equal(
        narrow[1], buckets.maximum, equal_nan=True
    )
    wide = [column.astype("<f8") for column in (buckets.minimum, buckets.maximum, buckets.mean)]
    broken = bool(buckets.nonfinite.any())
    shape = (0 if is_narrow else _WIDE) | (_BROKEN if broken else 0)
    columns = [column.tobytes() for column in (narrow if is_narrow else wide)]
    if broken:
        columns += [buckets.nonfinite.astype("<u8").tobytes(), buckets.flags.tobytes()]
    content = b"".join([_ROW.pack(_VERSION, shape, len(buckets)), *columns])
    return content + _CHECKSUM.pack(zlib.crc32(content))


def _unpacked(
    data: bytes, expected: int
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray, NDArray[np.uint8]]:
    view = memoryview(data)
    if len(view) < _ROW.size + _CHECKSUM.size or zlib.crc32(view[:-4]) != _CHECKSUM.unpack(view[-4:])[0]:
        raise SeriesError(
            f"expected a row of {expected} buckets, got {len(view)} bytes that are cut or changed"
        )
    version, shape, number = _ROW.unpack_from(view)
    width = 8 if shape & _WIDE else 4
    size = _ROW.size + number * (3 * width + (9 if shape & _BROKEN else 0)) + _CHECKSUM.size
    if (version, number, size) != (_VERSION, expected, len(view)):
        raise SeriesError(
            f"expected a row of version {_VERSION} with {expected} buckets in {size} bytes, "
            f"got version {version} with {number} in {len(view)}"
        )
    values = np.frombuffer(view, f"<f{width}", 3 * number, _ROW.size).reshape(3, -1).astype(np.float64)
    if not shape & _BROKEN:
        return values[0], values[1], values[2], np.zeros(number, np.int64), np.zeros(number, np.uint8)
    place = _ROW.size + 3 * width * number
    nonfinite = np.frombuffer(view, "<u8", number, place).astype(np.int64)
    flags = np.frombuffer(view, np.uint8, number, place + 8 * number)
    return values[0], values[1], values[2], nonfinite, flags
