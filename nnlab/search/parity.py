"""Networks of one size: which width of equal layers costs what another network costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from nnlab.search.errors import SearchError

Layers: TypeAlias = tuple[int, ...]
Count: TypeAlias = Callable[[Layers], int]

TOLERANCE = 0.01
MAX_WIDTH = 65_536


@dataclass(frozen=True)
class Fit:
    """Hidden layers, and how near they come to what was asked for.

    Args:
        cost: what was counted: parameters, or multiplications of one example.
        deviation: of the cost, as a share of the target: 0.01 is one percent too much.
    """

    hidden_units: Layers
    cost: int
    deviation: float


def fit(count: Count, depth: int, target: int, tolerance: float = TOLERANCE) -> Fit:
    """Find the hidden layers of a depth whose cost is nearest to a target.

    All layers are equally wide if some width comes within the tolerance. Else the last of two or more layers
    may differ from the others, by as much as a factor of two.

    Args:
        count: the cost of hidden layers; it has to grow with the width of each.
        tolerance: the largest deviation that is accepted.

    Raises:
        SearchError: for a depth or a target below 1, and where no network comes so near; it names the one
            that comes nearest.
    """
    if not depth >= 1:
        raise SearchError(f"expected at least 1 hidden layer, got {depth}")
    if not target >= 1:
        raise SearchError(f"expected a target of at least 1, got {target}")
    equal = [(width,) * depth for width in _around(lambda width: count((width,) * depth), target)]
    nearest = _nearest(count, equal, target)
    reach = tolerance * target
    if depth > 1 and abs(nearest.cost - target) > reach:
        nearest = _nearest(count, [nearest.hidden_units, *_tapered(count, equal, target)], target)
    if abs(nearest.cost - target) <= reach:
        return nearest
    layers = "-".join(map(str, nearest.hidden_units))
    raise SearchError(
        f"expected {depth} hidden layer{'s'[: depth > 1]} within {100 * tolerance:g} % of {target:,}, and the"
        f" nearest, {layers}, has {nearest.cost:,} ({100 * nearest.deviation:+.1f} %); try {nearest.cost:,}"
    )


def _around(count: Callable[[int], int], target: int) -> list[int]:
    """Return the largest width whose cost does not exceed the target, and the next."""
    low, high = 0, 1
    while high < MAX_WIDTH and count(high) <= target:
        low, high = high, min(2 * high, MAX_WIDTH)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= target else (low, middle)
    return [width for width in (low, high) if width >= 1]


def _tapered(count: Count, equal: Iterable[Layers], target: int) -> list[Layers]:
    """Return layers of which only the last one has another width."""
    found = []
    for layers in equal:
        width, front = layers[0], layers[:-1]
        last = _around(lambda units, front=front: count((*front, units)), target)  # type: ignore[misc]
        found += [(*front, units) for units in last if width <= 2 * units <= 4 * width]
    return found


def _nearest(count: Count, networks: Iterable[Layers], target: int) -> Fit:
    costs = [(count(layers), layers) for layers in networks]
    cost, layers = min(costs, key=lambda one: abs(one[0] - target))
    return Fit(layers, cost, cost / target - 1.0)
