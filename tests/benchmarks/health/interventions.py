"""Whether a single change would have made a configuration better: what tells harmless oddities from faults.

A configuration is sick where one of the changes raises the best or the late score by the rule of
``outcomes.is_worse``, and healthy where none does: ten seeds with the change against ten without.

Limits: a change is given up after three seeds that gain less than half of the points asked for. Where scores
are so high that no change could add the points, none is tried; nor where a configuration with a fault is
worse than its parent, by as many seeds as the suite has: to take the fault out is the change that helps. The
level of chance is that of a single comparison.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, Any

from tests.benchmarks.health import outcomes, replay
from tests.benchmarks.health.repair import CHANGES, LIMITS
from tests.benchmarks.health.training import Run, info_of, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.health.cases import Case
    from tests.benchmarks.health.replay import Row

SEEDS, FIRST = 10, 3
PERFECT = 1.0
Scores = list[dict[str, float]]


def tried(rows: Sequence[Row]) -> list[Row]:
    """Add to each run the changes that would have made its configuration better.

    Faulted configurations that are worse than what they were made from need no other change.
    """
    by_case: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_case[row.run.case.id].append(row)
    asked = [members[0].run.case for members in by_case.values() if _is_asked(members, by_case)]
    found = improving(asked)
    return [replace(row, improved_by=found.get(row.run.case.id, ())) for row in rows]


def _is_asked(members: Sequence[Row], by_case: dict[str, list[Row]]) -> bool:
    case = members[0].run.case
    if not case.rule.by_changes or can_gain_nothing([row.found for row in members]):
        return False
    return not replay.is_harmed(members, by_case.get(case.rule.reference, []))


def can_gain_nothing(scores: Sequence[Any]) -> bool:
    """Say whether scores are too near to perfect for any change to count."""
    return all(mean(one[name] for one in scores) > PERFECT - outcomes.POINTS for name in outcomes.STATISTICS)


def improving(cases: Sequence[Case]) -> dict[str, tuple[str, ...]]:
    """Try every single change of each configuration, and name those that make it better."""
    with ProcessPoolExecutor(replay.CORES) as pool:
        alone = list(
            pool.map(_scores, [case for case in cases for _ in range(SEEDS)], [*range(SEEDS)] * len(cases))
        )
        before = {case.id: alone[i * SEEDS : (i + 1) * SEEDS] for i, case in enumerate(cases)}
        waiting = {
            (case.id, name): pool.submit(_improves, after, before[case.id])
            for case in cases
            for name, after in variants(case).items()
        }
        better = [key for key, one in waiting.items() if one.result()]
    return {case.id: tuple(name for owner, name in better if owner == case.id) for case in cases}


def variants(case: Case) -> dict[str, Case]:
    """Give the configuration with each change that changes it."""
    values = Run(case, 0).values
    found = {}
    for name, change in CHANGES.items():
        config = copy.deepcopy(values)
        change(config)
        if config == values:
            continue
        data = config.pop("data")
        config.pop("seed")
        found[name] = replace(case, training=config, data=data)
    return found


def _improves(case: Case, before: Scores) -> bool:
    try:
        info_of(Run(case, 0))
    except LIMITS:  # the change cannot be made here
        return False
    after = [_scores(case, seed) for seed in range(FIRST)]
    gains = [
        mean(b[name] for b in after) - mean(a[name] for a in before[:FIRST]) for name in outcomes.STATISTICS
    ]
    if max(gains) < outcomes.POINTS / 2:
        return False
    return outcomes.is_improved(before, after + [_scores(case, seed) for seed in range(FIRST, SEEDS)])


def _scores(case: Case, seed: int) -> dict[str, float]:
    return outcomes.scores(records_of(Run(case, seed)), case.rule.metric)
