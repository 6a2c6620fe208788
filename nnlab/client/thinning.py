"""What is left out when more waits than may wait: every second point of the long series, again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from nnlab.series.batch import Key, Points, decode_batch


class Thinning:
    """Keeps one point in 2^k of those series that fill the queue; short ones are left whole."""

    def __init__(self) -> None:
        self.level = 0  # k
        self._strides: dict[Key, int] = {}
        self._seen: Counter[Key] = Counter()

    def kept(self, points: Mapping[Key, Points]) -> Mapping[Key, Points]:
        """Thin what was just logged as what waits was thinned: one point in so many, counted over batches."""
        if not self._strides:
            return points
        kept = {}
        for key, (steps, values) in points.items():
            stride = self._strides.get(key, 1)
            first = -self._seen[key] % stride
            self._seen[key] += len(steps)
            if first < len(steps):
                kept[key] = (steps[first::stride], values[first::stride])
        return kept

    def halve(self, batches: Sequence[bytes]) -> frozenset[Key]:
        """Choose the series that lose every second point from now on, given all that waits.

        Those with half of the average number of points or more: they hold at least half of all points.
        """
        waiting: Counter[Key] = Counter()
        for batch in batches:
            waiting.update({key: len(steps) for key, (steps, _) in decode_batch(batch).items()})
        long = frozenset(key for key, n in waiting.items() if 2 * n * len(waiting) >= waiting.total())
        for key in long:
            self._strides[key] = 2 * self._strides.get(key, 1)
        self.level = max(self._strides.values(), default=1).bit_length() - 1
        return long

    def stop(self) -> None:
        """Keep every point again."""
        self.level = 0
        self._strides.clear()
        self._seen.clear()


def merged(batches: Sequence[bytes], halved: frozenset[Key]) -> dict[Key, Points]:
    """Join batches into one, with every second point of some series."""
    parts: dict[Key, list[Points]] = {}
    for batch in batches:
        for key, points in decode_batch(batch).items():
            parts.setdefault(key, []).append(points)
    return {key: _joined(found, 2 if key in halved else 1) for key, found in parts.items()}


def halves(points: Mapping[Key, Points]) -> tuple[dict[Key, Points], dict[Key, Points]]:
    """Split a batch in two that, one after the other, are the whole."""
    if max(len(steps) for steps, _ in points.values()) == 1:
        keys = list(points)
        middle = len(keys) // 2
        return {key: points[key] for key in keys[:middle]}, {key: points[key] for key in keys[middle:]}
    first, second = {}, {}
    for key, (steps, values) in points.items():
        middle = (len(steps) + 1) // 2
        first[key] = (steps[:middle], values[:middle])
        if middle < len(steps):
            second[key] = (steps[middle:], values[middle:])
    return first, second


def _joined(parts: Sequence[Points], stride: int) -> Points:
    steps = np.concatenate([steps for steps, _ in parts])
    values = np.concatenate([values for _, values in parts])
    return steps[::stride], values[::stride]
