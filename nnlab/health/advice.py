"""Which changes a finding recommends, best first, and how they are applied to a config."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from nnlab.health.patches import PATCHES, Advice, Case, Op

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["RANKED", "Advice", "Case", "Op", "advise", "apply"]

# Best first. Vanishing gradients never get a higher learning rate or more layers.
RANKED: Mapping[str, tuple[str, ...]] = {
    "nonfinite": ("A3", "A9", "A6", "A12", "A7"),
    "exploding": ("A3", "A9", "A6", "A12", "A7", "A2"),
    "vanishing": ("A1", "A2", "A26", "A8", "A7", "A5"),
    "dead_layer": ("A3", "A9", "A2", "A11", "A20", "A26"),
    "not_learning": ("A5", "A4", "A9", "A1", "A17"),
}
CONSTANT_INITIALIZERS = ("zeros", "ones", "constant")
BORN_DEAD = ("A2", "A11", "A8", "A15")


def advise(check: str, case: Case) -> tuple[Advice, ...]:
    """Rank the changes that apply to this case; what would change nothing is left out."""
    offered = {code: PATCHES[code](case) for code in _codes(check, case)}
    return tuple(advice for advice in offered.values() if advice is not None)


def _codes(check: str, case: Case) -> tuple[str, ...]:
    """Rank codes for a check, with what this case shows about the cause in front."""
    if case.is_short and check == "not_learning":
        return ("A17", *RANKED[check])
    if check == "dead_layer" and case.is_born_dead:
        return BORN_DEAD  # no update has done it, so a lower learning rate does not help
    if case.get("initializer") in CONSTANT_INITIALIZERS:
        return ("A2", *RANKED[check])  # nothing else helps weights that are all the same
    if case.steps_are_too_large and check != "dead_layer":
        return ("A3", *RANKED[check])
    return RANKED[check]


def apply(config: Mapping[str, Any], ops: Sequence[Op]) -> dict[str, Any]:
    """Make the changes on a copy of a config.

    Raises:
        ValueError: for an unknown op, or a config that no longer holds the value that the op replaces.
    """
    changed = copy.deepcopy(dict(config))
    for op in ops:
        if op.op != "set":
            raise ValueError(f"expected the op set, got {op.op!r}")
        *parts, name = op.path.split(".")
        place = changed
        for part in parts:
            place = place.setdefault(part, {})
        if place.get(name) != op.old:
            raise ValueError(
                f"expected {op.path} to be {op.old!r}, got {place.get(name)!r}; the config has changed since"
            )
        place[name] = op.value
    return changed
