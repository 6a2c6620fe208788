"""The names that metrics may have."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from nnlab.series.errors import SeriesError

MAX_NAME = 250  # characters
MAX_LAYER = 10_000


@lru_cache(maxsize=4096)
def checked_metric(name: str) -> str:
    """Return a metric's name if it can be shown, stored and found again.

    Raises:
        SeriesError: for an empty or long name, one with control characters or with spaces around it.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise SeriesError(f"expected a name of 1 to {MAX_NAME} characters, got {len(name):,}: {name[:40]!r}")
    if name != name.strip():
        raise SeriesError(f"expected a name without spaces around it, got {name!r}")
    bad = next((letter for letter in name if unicodedata.category(letter).startswith("C")), None)
    if bad is not None:
        raise SeriesError(f"expected a name of visible characters, got {bad!r} in {name!r}")
    return name


def checked_layer(layer: int) -> int:
    """Return a layer's index.

    Raises:
        SeriesError: for one below 0 or above ``MAX_LAYER``.
    """
    if not 0 <= layer <= MAX_LAYER:
        raise SeriesError(f"expected a layer from 0 to {MAX_LAYER:,}, got {layer}")
    return layer
