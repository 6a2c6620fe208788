"""Facts of the examples that a run learns from, taken once before step 1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFacts:
    """What checks know of the examples.

    Args:
        train_rows: examples to learn from.
    """

    train_rows: int
