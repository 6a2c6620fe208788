"""Configuration values as JSON has them: a rate may come as a NumPy number, a device as an object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

MAX_DEPTH = 20


def plain(value: Any, depth: int = 0) -> Any:
    """Return what JSON can say of a value: itself, the same in plain types, or its text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {str(key): plain(one, depth + 1) for key, one in value.items()}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [plain(one, depth + 1) for one in value]
    return str(value)
