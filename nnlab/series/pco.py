"""pcodec, where it is installed: two thirds of a raw number's bytes go, and reading costs 3 ns a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.series.errors import SeriesError

try:
    from pcodec import ChunkConfig, standalone
except ImportError:  # no wheel for this machine: other layouts serve
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

_LEVEL = 4  # higher ones save 1 % of the bytes and take five times as long


def compressed(numbers: NDArray[Any]) -> bytes:
    """Pack numbers of 4 or 8 bytes; at least one."""
    packed: bytes = standalone.simple_compress(numbers, ChunkConfig(compression_level=_LEVEL))
    return packed


def decompressed(body: memoryview, count: int, dtype: type[np.generic]) -> NDArray[Any]:
    """Unpack what ``compressed`` packed.

    Raises:
        SeriesError: for other bytes, another count, and where pcodec is not installed.
    """
    if not IS_INSTALLED:
        raise SeriesError("expected pcodec, which packed this blob, got none; install it: pip install pcodec")
    numbers = np.empty(count, dtype)
    try:
        progress = standalone.simple_decompress_into(bytes(body), numbers)
    except (RuntimeError, TypeError) as error:
        raise SeriesError(
            f"expected {count:,} numbers packed by pcodec, got a broken stream ({error})"
        ) from error
    if progress.n_processed != count or not progress.finished:
        got = "more" if not progress.finished else f"{progress.n_processed:,}"
        raise SeriesError(f"expected {count:,} numbers packed by pcodec, got {got}")
    return numbers
