"""Root causes hide their symptoms: which open alert keeps which finding from an alert of its own."""

from __future__ import annotations

# Causes first. A finding waits while anything above it is open at warning or critical.
RANKS = ("nonfinite", "dead_layer", "vanishing", "exploding", "not_learning")


def causes_of(check: str) -> tuple[str, ...]:
    """Name the checks that explain this one, nearest to the root first."""
    return RANKS[: RANKS.index(check)]
