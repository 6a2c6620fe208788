"""What is wrong inside sick runs, and in which layers: told by weights and by a change that repairs.

Dead are ReLU layers that end at 0 for all training rows. Gradients vanish in layers whose weights have not
moved, where the same seed with ReLU and He weights is not sick any more. (That freezing such a layer costs
nothing is not tried: it has not moved.) Faults of the data or the configuration are causes of both, and count
as what they are.
"""

from __future__ import annotations

import copy
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.benchmarks.health import outcomes, replay
from tests.benchmarks.health.alarms import KINDS
from tests.benchmarks.health.repair import CHANGES, LIMITS, helped
from tests.benchmarks.health.training import Run, mechanism_of, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.health.mechanisms import Mechanism
    from tests.benchmarks.health.replay import Row

BEFORE_TRAINING = frozenset({"data", "configuration"})
MIXED = "B"  # whose programs are published with several faults each


@dataclass(frozen=True)
class Sickness:
    """What is wrong with a sick run.

    Args:
        kind: of ``alarms.KINDS``; empty where nothing tells.
        layers: hidden layers that are dead, or that get no gradient, counted from 0.
    """

    kind: str = ""
    layers: tuple[int, ...] = ()


def of_sick(rows: Sequence[Row]) -> dict[tuple[str, int], Sickness]:
    """Examine the runs that ended sick, by case and seed."""
    known = replay.outcomes_of(rows)
    sick = [row for row in rows if known[row.run.case.id, row.run.seed] == outcomes.SICK]
    limits = [replay.bounds_of(rows, row) for row in sick]
    with ProcessPoolExecutor(replay.CORES) as pool:
        found = list(pool.map(_examined, sick, limits))
    return {(row.run.case.id, row.run.seed): one for row, one in zip(sick, found, strict=True)}


def _examined(row: Row, bounds: tuple[float, float]) -> Sickness:
    case = row.run.case
    seen = mechanism_of(row.run)
    layers = () if row.diverged else seen.dead or _vanishing(row, seen, bounds)
    put_in = KINDS.get(case.accepts[0], "") if case.accepts and case.suite != MIXED else ""
    if put_in in BEFORE_TRAINING:
        return Sickness(put_in, layers)
    if row.diverged:
        return Sickness("unstable")
    if layers:
        return Sickness("dead" if seen.dead else "vanishing", layers)
    return Sickness(put_in)


def _vanishing(row: Row, seen: Mechanism, bounds: tuple[float, float]) -> tuple[int, ...]:
    rule = row.run.case.rule
    if not seen.frozen or rule.born_dead:
        return ()
    config = copy.deepcopy(row.run.values)
    CHANGES["ReLU"](config)
    data = config.pop("data")
    changed = Run(replace(row.run.case, training=config, data=data), config.pop("seed"))
    try:
        after = outcomes.scores(records_of(changed), rule.metric)[rule.statistic]
    except LIMITS:  # no network with ReLU can be trained here
        return ()
    return seen.frozen if helped(after, row.found[rule.statistic], bounds) else ()
