"""Root causes hide their symptoms: which open alert keeps which finding from an alert of its own."""

from __future__ import annotations

from functools import cache

# Causes first. A finding waits while anything above it is open at warning or critical.
RANKS = (
    "nonfinite",
    "class_balance",
    "leak",
    "output_mismatch",
    "symmetry",
    "unscaled_data",
    "born_dead",
    "dead_layer",
    "vanishing",
    "forward_collapse",
    "saturated",
    "dying_units",
    "linear_collapse",
    "exploding",
    "divergence",
    "update_ratio",
    "slow",
    "oscillation",
    "constant_prediction",
    "plateau",
    "not_learning",
    "rank_collapse",
    "dormant",
    "initial_loss",
    "overfitting",
    "dropout",
)
# Several of these may be true at once, and none is the cause of another.
OF_DATA_AND_CONFIG = frozenset({"class_balance", "leak", "output_mismatch", "symmetry", "unscaled_data"})
# A leak makes scores look better than they are, and nothing else; the other two stand beside any illness.
INDEPENDENT = frozenset({"leak", "overfitting", "dropout"})


@cache
def causes_of(check: str) -> tuple[str, ...]:
    """Name the checks that explain this one, nearest to the root first."""
    if check in INDEPENDENT:
        return ()
    strangers = INDEPENDENT | (OF_DATA_AND_CONFIG if check in OF_DATA_AND_CONFIG else frozenset())
    return tuple(cause for cause in RANKS[: RANKS.index(check)] if cause not in strangers)
