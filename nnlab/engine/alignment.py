"""Arrays that begin where a cache line does, so that no vector of a register's width lies across two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from nnlab.engine.activations import Array

CACHE_LINE = 64  # bytes


def aligned_zeros(count: int, dtype: DTypeLike) -> Array:
    """Make a vector of zeros."""
    size = np.dtype(dtype).itemsize
    spare = np.zeros(count + CACHE_LINE // size, dtype)
    start = -spare.ctypes.data % CACHE_LINE // size
    return spare[start : start + count]


def aligned_like(like: Array, value: float = 0.0) -> Array:
    """Make a vector of another one's length and type."""
    made = aligned_zeros(len(like), like.dtype)
    if value:
        made.fill(value)
    return made
