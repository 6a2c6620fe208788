"""A batch: points of several series in one binary body, as a journal, a spool or a request holds it.

All numbers are little-endian.

- header: the letters ``NNLB``, version u8 = 1, flags u8 = 0, step vectors u16, series u32, points in all u64
- each step vector: kind u8, count u32; kind 0 (regular): start i64, stride i64; kind 1: a step i64 for each
- each series: bytes of the name u16, the name in UTF-8, layer i32 (-1: the whole run), step vector u16,
  bytes of a value u8 (4 or 8), then that many float32 or float64 as the vector has steps
- CRC-32 u32 of all before it

Series that share their steps share the vector. A series may stand in a batch once.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnlab.series.errors import SeriesError
from nnlab.series.names import checked_layer, checked_metric

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Key: TypeAlias = tuple[str, int | None]  # metric, and layer or None for the whole run
Points: TypeAlias = tuple[IntArray, FloatArray]  # steps and values
CLOCK: Key = ("_t", None)  # when each step was logged: not a metric, and of the whole run only

VERSION = 1
MAX_VECTORS = 2**16 - 1

_MAGIC = b"NNLB"
_HEADER = struct.Struct("<4sBBHIQ")
_VECTOR = struct.Struct("<BI")
_REGULAR = struct.Struct("<qq")
_NAME = struct.Struct("<H")
_SERIES = struct.Struct("<iHB")
_CHECKSUM = struct.Struct("<I")
_EVEN, _EXPLICIT = 0, 1
_WHOLE_RUN = -1
_STEP, _NARROW, _WIDE = np.dtype("<i8"), np.dtype("<f4"), np.dtype("<f8")


def encode_batch(points: Mapping[Key, Points]) -> bytes:
    """Write points as a batch; every bit of steps and values is kept.

    Shapes: steps and values of each series (n,).

    Raises:
        SeriesError: for shapes that differ, a name or a layer that cannot be, or too many different steps.
    """
    vectors: dict[bytes | int, int] = {}
    of_vector: list[bytes] = []
    series: list[bytes] = []
    for ((metric, layer), (steps, values)), blob in zip(points.items(), _packed(points), strict=True):
        if steps.ndim != 1 or steps.shape != values.shape:
            raise SeriesError(
                f"expected one step a value in {metric!r}, got {steps.shape} and {values.shape}"
            )
        place = vectors.get(id(steps))
        if place is None:
            place = _place(vectors, of_vector, np.ascontiguousarray(steps, _STEP))
            vectors[id(steps)] = place
        series += (_head(metric, layer, place, len(blob) // max(len(steps), 1) or 4), blob)
    total = sum(len(steps) for steps, _ in points.values())
    header = _HEADER.pack(_MAGIC, VERSION, 0, len(of_vector), len(points), total)
    content = b"".join([header, *of_vector, *series])
    return content + _CHECKSUM.pack(zlib.crc32(content))


def decode_batch(blob: bytes, wanted: Collection[Key] | None = None) -> dict[Key, Points]:
    """Read a batch, or some of its series.

    Raises:
        SeriesError: for a blob that is cut, changed, longer than it says, or that names what cannot be.
    """
    reader = _Reader(_checked(blob))
    _, _, _, vectors, series, total = reader.unpack(_HEADER)
    steps = [reader.vector() for _ in range(vectors)]
    found: dict[Key, Points] = {}
    names = set()
    counted = 0
    for _ in range(series):
        key, place, values = reader.series(steps)
        if key in names:
            raise SeriesError(f"expected each series once, got {key[0]!r} (layer {key[1]}) twice")
        names.add(key)
        counted += len(values)
        if wanted is None or key in wanted:
            found[key] = (steps[place].expanded(), values.astype(np.float64))
    if counted != total or reader.left:
        raise SeriesError(
            f"expected {total:,} points and nothing after them, got {counted:,} and {reader.left} bytes"
        )
    return found


def points_in(blob: bytes) -> int:
    """Return how many points a batch says that it holds.

    Raises:
        SeriesError: for what is no batch.
    """
    total: int = _header(memoryview(blob))[5]
    return total


def series_in(blob: bytes) -> int:
    """Return how many series a batch says that it holds, those without points among them.

    Raises:
        SeriesError: for what is no batch.
    """
    series: int = _header(memoryview(blob))[4]
    return series


@dataclass
class _Steps:
    """A step vector; a regular one is made once a series has shown as many values: a claim costs nothing."""

    count: int
    steps: IntArray | None
    start: int = 0
    stride: int = 0

    def expanded(self) -> IntArray:
        if self.steps is None:
            self.steps = np.int64(self.start) + np.int64(self.stride) * np.arange(self.count, dtype=np.int64)
        return self.steps


class _Reader:
    """Takes one part of a batch after another; none may lie beyond its end."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def take(self, size: int) -> memoryview:
        start = self._at
        self._at = end = start + size
        if end > len(self._content):
            left = len(self._content) - start
            raise SeriesError(f"expected {size:,} more bytes, got {left:,}; the batch is cut")
        return self._content[start:end]

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        return layout.unpack(self.take(layout.size))

    def vector(self) -> _Steps:
        kind, count = self.unpack(_VECTOR)
        if kind == _EXPLICIT:
            return _Steps(count, np.frombuffer(self.take(8 * count), "<i8").astype(np.int64, copy=False))
        if kind != _EVEN:
            raise SeriesError(f"expected step vectors of kind 0 or 1, got {kind}")
        start, stride = self.unpack(_REGULAR)
        if not -(2**63) <= start + stride * max(count - 1, 0) < 2**63:
            raise SeriesError(f"expected steps within 64 bits, got {count:,} from {start} by {stride}")
        return _Steps(count, None, start, stride)

    def series(self, steps: list[_Steps]) -> tuple[Key, int, FloatArray]:
        (length,) = self.unpack(_NAME)
        try:
            metric = checked_metric(str(self.take(length), "utf-8"))
        except UnicodeDecodeError as error:
            raise SeriesError(f"expected a name in UTF-8, got {error}") from error
        layer, place, width = self.unpack(_SERIES)
        if place >= len(steps) or width not in (4, 8):
            raise SeriesError(
                f"expected one of {len(steps)} step vectors and values of 4 or 8 bytes in {metric!r}, "
                f"got vector {place} and {width} bytes"
            )
        values = np.frombuffer(self.take(width * steps[place].count), f"<f{width}")
        return (metric, None if layer == _WHOLE_RUN else checked_layer(layer)), place, values


def _place(vectors: dict[bytes | int, int], of_vector: list[bytes], steps: IntArray) -> int:
    """Return the place of a step vector, which is added if it is new."""
    place = vectors.setdefault(steps.tobytes(), len(of_vector))
    if place == len(of_vector):
        if place == MAX_VECTORS:
            raise SeriesError(
                f"expected at most {MAX_VECTORS:,} different steps of series in a batch; split it"
            )
        of_vector.append(_vector(steps))
    return place


def _vector(steps: IntArray) -> bytes:
    count = len(steps)
    if count < 2:
        return _VECTOR.pack(_EVEN, count) + _REGULAR.pack(int(steps[0]) if count else 0, 0)
    start, stride = int(steps[0]), int(steps[1]) - int(steps[0])
    fits = -(2**63) <= stride < 2**63 and -(2**63) <= start + stride * (count - 1) < 2**63
    if fits and (np.diff(steps) == stride).all():
        return _VECTOR.pack(_EVEN, count) + _REGULAR.pack(start, stride)
    return _VECTOR.pack(_EXPLICIT, count) + steps.tobytes()


def _head(metric: str, layer: int | None, place: int, width: int) -> bytes:
    name = checked_metric(metric).encode()
    at = _WHOLE_RUN if layer is None else checked_layer(layer)
    return _NAME.pack(len(name)) + name + _SERIES.pack(at, place, width)


def _packed(points: Mapping[Key, Points]) -> list[bytes]:
    """Write the values of each series, in four bytes each where those hold every bit."""
    counts = [len(values) for _, values in points.values()]
    if not sum(counts):
        return [b""] * len(counts)
    wide = np.concatenate([values for _, values in points.values()]).astype(_WIDE, copy=False)
    with np.errstate(all="ignore"):  # too large for float32 is an answer here, not a problem
        narrow = wide.astype(_NARROW)
        differs = narrow.astype(_WIDE).view(np.int64) != wide.view(np.int64)
    places = np.cumsum([0, *counts])  # all at once: a series may hold a few points only
    lost = np.cumsum(differs)[np.maximum(places - 1, 0)] * (places > 0) if differs.any() else places * 0
    return [
        (narrow if lost[at] == lost[at + 1] else wide)[places[at] : places[at + 1]].tobytes()
        for at in range(len(counts))
    ]


def _header(view: memoryview) -> tuple[int, ...]:
    least = _HEADER.size + _CHECKSUM.size
    if len(view) < least:
        raise SeriesError(f"expected a batch of at least {least} bytes, got {len(view)}; it is cut")
    header = _HEADER.unpack_from(view)
    if header[0] != _MAGIC or header[1] != VERSION or header[2] != 0:
        raise SeriesError(
            f"expected a batch that begins with NNLB, version {VERSION}, flags 0; got {bytes(view[:6])!r}"
        )
    return header


def _checked(blob: bytes) -> memoryview:
    view = memoryview(blob)
    _header(view)
    (checksum,) = _CHECKSUM.unpack(view[-_CHECKSUM.size :])
    actual = zlib.crc32(view[: -_CHECKSUM.size])
    if checksum != actual:
        raise SeriesError(f"expected checksum {checksum:08x}, got {actual:08x}; the batch is cut or changed")
    return view[: -_CHECKSUM.size]
