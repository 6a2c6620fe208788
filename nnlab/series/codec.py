"""Pack the values and the steps of a series into bytes and back, bit for bit.

A blob is a header (format, layout, count), a body and a CRC-32 of both. All numbers are little-endian.
Bodies are packed by pcodec where it is installed, else by deflate; both are read wherever they can be.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab.series import pco
from nnlab.series.errors import SeriesError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Blob = bytes | bytearray | memoryview

MAX_COUNT = 1 << 22  # numbers in one blob: 32 MiB once decoded, the most a hostile blob can claim

_VALUES, _STEPS = 1, 2  # formats
_RUN = 0  # layouts: start and stride, or numbers of 8 or 4 bytes, deflated or packed by pcodec
_WIDE, _NARROW, _PCO_WIDE, _PCO_NARROW = 1, 2, 3, 4
_LAYOUT_NAMES = {
    _RUN: "run",
    _WIDE: "8 bytes",
    _NARROW: "4 bytes",
    _PCO_WIDE: "8 bytes by pcodec",
    _PCO_NARROW: "4 bytes by pcodec",
}
_LAYOUTS = {_VALUES: tuple(_LAYOUT_NAMES), _STEPS: (_RUN, _WIDE, _PCO_WIDE)}
_NAMES = {_VALUES: "values", _STEPS: "steps"}

_HEADER = struct.Struct("<BBI")
_PROGRESSION = struct.Struct("<qq")
_CHECKSUM = struct.Struct("<I")
_ZLIB_LEVEL = 1  # 2.38 bytes a point on engine series; higher levels cost far more time than they save
_RAW_DEFLATE = -15  # without zlib's own header and checksum: ours covers the header too


def encode(values: ArrayLike) -> bytes:
    """Pack floats so that ``decode`` returns every bit, also of NaN payloads and of -0.0.

    Constant values cost 26 bytes in all; values that float32 can hold exactly cost half of what others do.

    Shapes: values (n,), n from 0 to ``MAX_COUNT``; float64, or a narrower float, which widens exactly.

    Raises:
        SeriesError: for other shapes, types or sizes.
    """
    floats = _checked(values, "f").astype("<f8")
    bits = floats.view("<i8")
    if (bits[1:] == bits[:-1]).all():
        return _blob(_VALUES, _RUN, len(bits), _progression(bits))
    with np.errstate(all="ignore"):  # too large for float32 is an answer here, not a problem
        narrow = floats.astype("<f4")
        fits = np.array_equal(narrow.astype("<f8").view("<i8"), bits)
    return _packed(_VALUES, narrow if fits else floats)


def decode(blob: Blob) -> FloatArray:
    """Unpack what ``encode`` packed.

    Raises:
        SeriesError: for a blob that is cut, changed, of another kind, or longer than ``MAX_COUNT``.
    """
    layout, count, body = _opened(blob, _VALUES)
    if layout == _RUN:
        return _expanded(body, count).view(np.float64)
    if layout == _PCO_NARROW:
        return _widened(pco.decompressed(body, count, np.float32))
    if layout == _PCO_WIDE:
        return pco.decompressed(body, count, np.float64)
    if layout == _NARROW:
        return _widened(_decompressed(body, count, 4).view("<f4"))
    return _decompressed(body, count, 8).view("<f8").astype(np.float64, copy=False)


def encode_steps(steps: ArrayLike) -> bytes:
    """Pack integers bit for bit; regular steps cost 26 bytes in all, however many there are.

    Shapes: steps (n,), n from 0 to ``MAX_COUNT``; int64, or integers that int64 can hold. Any order.

    Raises:
        SeriesError: for other shapes, types or sizes.
    """
    integers = _checked(steps, "iu").astype("<i8")
    gaps = np.diff(integers, prepend=np.int64(0))
    if (gaps[2:] == gaps[1:-1]).all():
        return _blob(_STEPS, _RUN, len(integers), _progression(integers))
    # Differences wrap around at 2**64 and so does their sum: nothing is lost.
    return _packed(_STEPS, gaps)


def decode_steps(blob: Blob) -> IntArray:
    """Unpack what ``encode_steps`` packed.

    Raises:
        SeriesError: for a blob that is cut, changed, of another kind, or longer than ``MAX_COUNT``.
    """
    layout, count, body = _opened(blob, _STEPS)
    if layout == _RUN:
        return _expanded(body, count)
    if layout == _PCO_WIDE:
        return np.cumsum(pco.decompressed(body, count, np.int64))
    return np.cumsum(_decompressed(body, count, 8).view("<i8"), dtype=np.int64)


def _checked(numbers: ArrayLike, kinds: str) -> NDArray[np.generic]:
    array: NDArray[np.generic] = np.asarray(numbers)
    wanted = "floats of at most 64 bits" if kinds == "f" else "integers that fit 64 bits with sign"
    if array.size == 0 and array.ndim == 1 and array.dtype == np.float64:
        array = array.astype(np.float64 if kinds == "f" else np.int64)  # [] has no type of its own
    if array.ndim != 1:
        raise SeriesError(f"expected one dimension, got shape {array.shape}; encode one series at a time")
    if array.dtype.kind not in kinds or array.dtype.itemsize > 8 or array.dtype == np.uint64:
        raise SeriesError(f"expected {wanted}, got {array.dtype}; convert with astype where that is exact")
    if array.size > MAX_COUNT:
        raise SeriesError(f"expected at most {MAX_COUNT:,} numbers in a blob, got {array.size:,}; split them")
    return array


def _progression(integers: IntArray) -> bytes:
    start = int(integers[0]) if len(integers) else 0
    stride = int(np.diff(integers[:2])[0]) if len(integers) > 1 else 0
    return _PROGRESSION.pack(start, stride)


def _expanded(body: memoryview, count: int) -> IntArray:
    if len(body) != _PROGRESSION.size:
        raise SeriesError(f"expected {_PROGRESSION.size} bytes for start and stride, got {len(body)}")
    start, stride = _PROGRESSION.unpack(body)
    return np.int64(start) + np.arange(count, dtype=np.int64) * np.int64(stride)


def _widened(narrow: NDArray[np.float32]) -> FloatArray:
    with np.errstate(invalid="ignore"):  # a signalling NaN, which no blob of ours holds, is still a value
        return narrow.astype(np.float64)


def _packed(kind: int, numbers: NDArray[np.generic]) -> bytes:
    is_wide = numbers.itemsize == 8
    if pco.IS_INSTALLED:
        native = numbers.astype(numbers.dtype.newbyteorder("="), copy=False)
        layout, body = _PCO_WIDE if is_wide else _PCO_NARROW, pco.compressed(native)
    else:
        layout, body = _WIDE if is_wide else _NARROW, _compressed(numbers)
    return _blob(kind, layout, len(numbers), body)


def _compressed(numbers: NDArray[np.generic]) -> bytes:
    """Put all first bytes together, then all second bytes, ...: exponents resemble each other."""
    planes = numbers.view(np.uint8).reshape(len(numbers), -1).T.tobytes()
    packer = zlib.compressobj(_ZLIB_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    return packer.compress(planes) + packer.flush()


def _decompressed(body: memoryview, count: int, width: int) -> NDArray[np.uint8]:
    expected = count * width
    unpacker = zlib.decompressobj(_RAW_DEFLATE)
    try:
        # One byte more than expected shows a body that is too long without unpacking all of it.
        raw = unpacker.decompress(body, expected + 1)
    except zlib.error as error:
        raise SeriesError(f"expected {expected:,} deflated bytes, got a broken stream ({error})") from error
    if len(raw) != expected or not unpacker.eof or unpacker.unused_data:
        got = f"more than {expected:,}" if len(raw) > expected else f"{len(raw):,}"
        raise SeriesError(
            f"expected {count:,} numbers of {width} bytes, {expected:,} bytes in all, got {got}"
        )
    planes = np.frombuffer(raw, np.uint8).reshape(width, count)
    return np.ascontiguousarray(planes.T).reshape(-1)


def _blob(kind: int, layout: int, count: int, body: bytes) -> bytes:
    content = _HEADER.pack(kind, layout, count) + body
    return content + _CHECKSUM.pack(zlib.crc32(content))


def _opened(blob: Blob, kind: int) -> tuple[int, int, memoryview]:
    """Split a blob into layout, count and body, once the header and the checksum hold."""
    view = memoryview(blob)
    least = _HEADER.size + _CHECKSUM.size
    if len(view) < least:
        raise SeriesError(f"expected a blob of at least {least} bytes, got {len(view)}; it is cut")
    found, layout, count = _HEADER.unpack_from(view)
    if found not in _NAMES:
        raise SeriesError(
            f"expected a blob of format {kind} ({_NAMES[kind]}), got the unknown format {found}"
        )
    (checksum,) = _CHECKSUM.unpack(view[-_CHECKSUM.size :])
    actual = zlib.crc32(view[: -_CHECKSUM.size])
    if checksum != actual:
        raise SeriesError(f"expected checksum {checksum:08x}, got {actual:08x}; the blob is cut or changed")
    if found != kind:
        raise SeriesError(f"expected format {kind} ({_NAMES[kind]}), got format {found} ({_NAMES[found]})")
    if layout not in _LAYOUTS[kind]:
        names = ", ".join(f"{known} ({_LAYOUT_NAMES[known]})" for known in _LAYOUTS[kind])
        raise SeriesError(f"expected one of the layouts {names}, got {layout}")
    if count > MAX_COUNT:
        raise SeriesError(f"expected at most {MAX_COUNT:,} numbers in a blob, got a claim of {count:,}")
    return layout, count, view[_HEADER.size : -_CHECKSUM.size]
