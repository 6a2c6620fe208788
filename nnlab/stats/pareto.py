"""The Pareto front: what nothing else beats at less cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnlab.stats.errors import StatsError


def pareto_front(costs: Sequence[float], values: Sequence[float], *, higher: bool) -> list[int]:
    """Find the points that no other point dominates, the cheapest first.

    A point dominates another that costs at least as much and is no better, if it is strictly less costly or
    strictly better. Points that are equal in both are all on the front or all off it.

    Args:
        costs: of each point; less is better.
        values: of each point.
        higher: whether a larger value is better.

    Raises:
        StatsError: for lengths that differ, and for numbers that are not finite.
    """
    if len(costs) != len(values):
        raise StatsError(f"expected a cost for each of {len(values)} values, got {len(costs)}")
    if not all(map(math.isfinite, [*costs, *values])):
        raise StatsError("expected finite costs and values; leave diverged runs out")
    gains = [value if higher else -value for value in values]
    front: list[int] = []
    for index in sorted(range(len(costs)), key=lambda one: (costs[one], -gains[one])):
        last = front[-1] if front else None
        equals_last = last is not None and (costs[last], gains[last]) == (costs[index], gains[index])
        if last is None or gains[index] > gains[last] or equals_last:
            front.append(index)
    return front
