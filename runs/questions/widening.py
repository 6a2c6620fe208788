"""A question asked again, with learning rates beyond those that were tried and with seeds nobody has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runs.models import Question
from runs.questions.outcomes import CellOutcome
from runs.questions.reading import MAX_NAME, MAX_RATES

_FEWEST = 2  # rates more at an edge


def widened(question: Question, cells: Sequence[CellOutcome]) -> dict[str, Any]:
    """Return the question with its range of rates extended at the edges where a cell was best.

    As many steps as the range has halves are added, each as wide as the step at that edge.
    """
    asked = question.specification
    rates: list[float] = sorted(asked["learning_rates"])
    best = {one.tuned.best for one in cells}
    more = max(_FEWEST, len(rates) // 2)
    below = [rates[0] * (rates[0] / rates[1]) ** step for step in range(1, more + 1)]
    above = [rates[-1] * (rates[-1] / rates[-2]) ** step for step in range(1, more + 1)]
    added = [*(below if rates[0] in best else []), *(above if rates[-1] in best else [])]
    first = max([*asked["tuning_seeds"], *asked["seeds"]]) + 1
    return {
        **asked,
        "project": question.project.slug,
        "name": f"{question.name[: MAX_NAME - 7]}, wider",
        "learning_rates": sorted([*rates, *(float(f"{rate:.4g}") for rate in added)])[:MAX_RATES],
        "seeds": [first + place for place in range(len(asked["seeds"]))],
    }
