"""The engine's random numbers on a device: the words of counter_random, for many members at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nnlab.engine.counter_random import Stream, key, mixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nnlab.engine.device.backend import Array, Backend

_FIRST, _SECOND = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
_FIFTEEN, _SIXTEEN = np.uint32(15), np.uint32(16)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_MOST_AT_ONCE = 1 << 22  # words of orders that are sorted together


def keys(seeds: Sequence[int], stream: Stream, layer: int, parts: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the keys of members at some steps or epochs. Shapes: parts (n,); keys (n, members)."""
    states = np.array([key(seed, stream, layer) for seed in seeds], np.uint64)
    # on arrays of 64 bits the arithmetic of counter_random wraps by itself
    return cast("NDArray[np.uint64]", mixed(cast("Any", states[None, :]), cast("Any", parts[:, None])))


def halves(backend: Backend, full: NDArray[np.uint64]) -> tuple[Array, Array]:
    """Upload the high and low words of keys."""
    high, low = (full >> _HALF).astype(np.uint32), (full & _LOW).astype(np.uint32)
    return backend.upload(high), backend.upload(low)


def words(counters: Array, high: Array, low: Array) -> Array:
    """Hash counters under keys, as counter_random describes. All are arrays of uint32."""
    x = counters ^ high
    x = ((x ^ (x >> _SIXTEEN)) * _FIRST) ^ low
    x = (x ^ (x >> _FIFTEEN)) * _SECOND
    return x ^ (x >> _SIXTEEN)


def dropped(xp: Any, out: Array, mask: Array, a: Array, *draws: Array) -> None:
    """Draw a mask of 0 and 1 / keep, from counters, halves of keys, threshold and scale; multiply by it."""
    counters, high, low, threshold, scale = draws
    mask[...] = (words(counters, high, low) >= threshold) * scale
    out[...] = a * mask


def orders(backend: Backend, seeds: Sequence[int], epoch: int, rows: int) -> Array:
    """Draw each member's order of the rows in an epoch. Shapes: (members, rows) of int32."""
    xp = backend.xp
    full = keys(seeds, Stream.SHUFFLE, 0, np.array([epoch], np.uint64))[0]
    high, low = halves(backend, full[:, None])
    counters = xp.arange(rows, dtype=np.uint32)
    found = xp.empty((len(seeds), rows), np.int32)
    some = max(1, _MOST_AT_ONCE // rows)
    for start in range(0, len(seeds), some):
        part = slice(start, start + some)
        tagged = words(counters, high[part], low[part]).astype(np.uint64) << _HALF
        tagged |= counters
        found[part] = xp.sort(tagged, axis=1) & _LOW
    return found
