"""A rule that fires on one observation: no patience, no way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.alarms import Alarm

if TYPE_CHECKING:
    from collections.abc import Mapping


def fired(steps: Any, rules: Mapping[str, Any]) -> list[Alarm]:
    """Give an alarm for each rule that holds somewhere, at the first of the steps where it does.

    Shapes: ``steps`` (n,); each rule (n,) of truths.
    """
    found = []
    for rule, holds in rules.items():
        where = np.flatnonzero(holds)
        if len(where):
            found.append(Alarm(rule, int(steps[where[0]])))
    return found


def streak(holds: Any, length: int) -> Any:
    """Say where something has held so many times running. Shapes: (n,) -> (n,)."""
    counts = np.zeros(len(holds), np.int64)
    for index, held in enumerate(holds):
        counts[index] = counts[index - 1] + 1 if held and index else int(held)
    return counts >= length


def fallen(values: Any, share: float, back: int) -> Any:
    """Say where a value is at least a share below that of so many places before. Shapes: (n,) -> (n,)."""
    before = np.concatenate([np.full(min(back, len(values)), np.inf), values[:-back]])
    return values <= (1 - share) * before
