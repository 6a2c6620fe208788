"""Arrays in answers: as typed bytes, which a browser and Plotly take as they are, or as lists."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.health.events import json_value

Written = Callable[[NDArray[np.generic]], Any]

_WHOLE = ("u1", "i2", "i4")


def typed(array: NDArray[np.generic]) -> dict[str, Any]:
    """Write an array as ``{"dtype", "bdata"}``, in the narrowest type that holds every value exactly.

    Whole numbers beyond 2^53, which JavaScript cannot hold, are rounded.
    """
    narrow = _narrowed(array)
    answer = {"dtype": narrow.dtype.str[1:], "bdata": b64encode(narrow.tobytes()).decode("ascii")}
    return answer if array.ndim == 1 else {**answer, "shape": ", ".join(map(str, array.shape))}


def listed(array: NDArray[np.generic]) -> Any:
    """Write an array as a list; values that are not finite are spelled as text."""
    return json_value(array.tolist())


def _narrowed(array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            single = array.astype("<f4")
        return single if np.array_equal(single, array, equal_nan=True) else array.astype("<f8")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for dtype in _WHOLE:
        bounds = np.iinfo(dtype)
        if bounds.min <= low and high <= bounds.max:
            return array.astype(f"<{dtype}")
    return array.astype("<f8")
