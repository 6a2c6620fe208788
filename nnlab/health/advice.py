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
    "forward_collapse": ("A1", "A2", "A26", "A8", "A7", "A5"),
    "saturated": ("A9", "A3", "A2", "A1", "A7"),
    "divergence": ("A3", "A6", "A12", "A7"),
    "update_ratio": ("A4", "A5"),
    "plateau": ("A4", "A5", "A17"),
    "born_dead": ("A15", "A11", "A8"),
    "class_balance": (),
    "dropout": (),
    "initial_loss": ("A9", "A2"),
    "leak": (),
    "linear_collapse": ("A1",),
    "output_mismatch": (),
    "symmetry": ("A2",),
    "unscaled_data": ("A9",),
    "not_learning": ("A5", "A4", "A9", "A1", "A17"),
    "dying_units": ("A9", "A3", "A2", "A11", "A20", "A26"),
    "dormant": ("A3",),
    "oscillation": ("A3", "A20", "A5"),
    "overfitting": ("A12",),
    "rank_collapse": ("A2", "A7"),
    "constant_prediction": ("A9", "A5"),
}
CONSTANT_INITIALIZERS = ("zeros", "ones", "constant")
LARGE_UPDATES = ("A3", "A6")
LARGE_UPDATE = 0.03
BORN_DEAD = ("A2", "A11", "A8", "A15")


# What the training shows does not change what helps against these.
OF_DATA_AND_CONFIG = frozenset(
    {"class_balance", "dropout", "leak", "linear_collapse", "output_mismatch", "symmetry", "unscaled_data"}
)


def advise(check: str, case: Case) -> tuple[Advice, ...]:
    """Rank the changes that apply to this case; what would change nothing is left out."""
    offered = {code: PATCHES[code](case) for code in _codes(check, case)}
    return tuple(advice for advice in offered.values() if advice is not None)


def _codes(check: str, case: Case) -> tuple[str, ...]:
    """Rank codes for a check, with what this case shows about the cause in front."""
    if check in OF_DATA_AND_CONFIG:
        return RANKED[check]
    if case.is_short and check == "not_learning":
        return ("A17", *RANKED[check])
    if check == "dead_layer" and case.is_born_dead:
        return BORN_DEAD  # no update has done it, so a lower learning rate does not help
    if check == "update_ratio" and case.largest_update > LARGE_UPDATE:
        return LARGE_UPDATES
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
