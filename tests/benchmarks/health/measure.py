"""One suite measured: everything that the results keep of it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.health.thresholds import THRESHOLDS
from tests.benchmarks.health import interventions, judge, outcomes, repair, replay, sickness
from tests.benchmarks.health.alarms import highest
from tests.benchmarks.health.faults import BEYOND
from tests.benchmarks.health.intervals import share
from tests.benchmarks.health.replay import OURS
from tests.benchmarks.health.training import Run, engine_version, records_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.health.cases import Case
    from tests.benchmarks.health.intervals import Share
    from tests.benchmarks.health.judge import Judged
    from tests.benchmarks.health.repair import Repair
    from tests.benchmarks.health.replay import Row
    from tests.benchmarks.health.sickness import Sickness

ON_THEIR_RUNS = "nnlab_on_their_runs"
BY_STEP, LAYER = 8, 2  # of the five sigmoid layers


def measure(
    suite: str, cases: Sequence[Case], runs: Sequence[Run], *, peer_seeds: int, repairs: bool
) -> dict[str, Any]:
    """Replay the runs of a suite, judge every detector, and try the advice.

    Args:
        cases: all of the suite, with those that cannot be trained.
        peer_seeds: peers see so many seeds of each case.
    """
    load = os.getloadavg()[0]
    rows = interventions.tried(replay.replay_all(runs, peer_seeds=peer_seeds))
    sick = sickness.of_sick(rows)
    ours = replay.judged(rows, OURS, sick)
    found = {
        "suite": suite,
        "engine": engine_version(),
        "thresholds": THRESHOLDS.hash,
        "load": [load, os.getloadavg()[0]],
        "cases": len(cases),
        "unable": {case.id: case.unable for case in cases if case.unable},
        "runs": len(rows),
        "detectors": detectors(rows, sick),
        "details": judge.details(ours)
        | {"quiz": quiz(rows) if suite == "quiz" else None}
        | {"programs": programs(rows, ours) if suite == "B" else None},
        "overflows": overflows(rows),
        "outcomes": {
            case.id: dict(Counter(run.outcome for run in ours if run.case == case.id)) for case in cases
        },
        "improved_by": {row.run.case.id: row.improved_by for row in rows if row.improved_by},
        "references": {case.id: case.notes for case in cases if case.notes},
    }
    if repairs:
        found["repair"] = repaired(rows)
    return found


def detectors(rows: Sequence[Row], sick: Mapping[tuple[str, int], Sickness]) -> dict[str, Any]:
    """Judge everybody; ours also on the runs that peers have seen, where those are fewer."""
    names = dict.fromkeys(name for row in rows for name in row.said)
    found = {name: judge.summary(replay.judged(rows, name, sick)) for name in names}
    shared = [row for row in rows if len(row.said) > 1]
    if not 0 < len(shared) < len(rows):
        return found
    seen = {(row.run.case.id, row.run.seed) for row in shared}
    alike = [one for one in replay.judged(rows, OURS, sick) if (one.case, one.seed) in seen]
    return {OURS: found.pop(OURS), ON_THEIR_RUNS: judge.summary(alike), **found}


def programs(rows: Sequence[Row], ours: Sequence[Judged]) -> dict[str, Any]:
    """Count for each program asked about the sick runs whose cause is named, and alarms on those fixed."""
    by_case = {row.run.case.id: row.run.case for row in rows}
    asked: dict[str, list[int]] = {}
    for run in ours:
        case = by_case[run.case]
        if case.published == "sick" and run.outcome == outcomes.SICK:
            right = asked.setdefault(case.notes["program"], [0, 0])
            right[0] += judge.is_cause_right(run)
            right[1] += 1
    fixed = [run for run in ours if by_case[run.case].published == "normal"]
    healthy = [run for run in fixed if run.outcome == outcomes.HEALTHY]
    return {
        "cause": asked,
        "fixed": [sum(run.is_detected for run in fixed), len(fixed)],
        "fixed_healthy": [sum(run.is_detected for run in healthy), len(healthy)],
    }


def overflows(rows: Sequence[Row]) -> list[int]:
    """Count the runs that diverged, and those among them that do so in double precision as well."""
    runs = [row.run for row in rows if row.diverged]
    doubled = [
        Run(replace(run.case, training=run.case.training | {"dtype": "float64"}), run.seed) for run in runs
    ]
    return [len(runs), sum(records_of(run).nonfinite is not None for run in doubled)]


def quiz(rows: Sequence[Row]) -> float:
    """Give the share of runs where vanishing opens by step 8, names hidden 3, and advises ReLU first."""
    right = 0
    for row in rows:
        found = highest(row.said[OURS])
        right += bool(
            found is not None
            and found.rule == "vanishing"
            and found.step <= BY_STEP
            and LAYER in found.layers
            and found.advice
            and found.advice[0].code == "A1"
        )
    return right / len(rows)


def repaired(rows: Sequence[Row]) -> dict[str, Any]:
    """Try the changes of every source; ours also on the runs that peers have seen, where those are fewer."""
    seen = [row for row in rows if len(row.said) > 1]
    ours = {ON_THEIR_RUNS: mended(rows, OURS, seen)} if 0 < len(seen) < len(rows) else {}
    found = {OURS: mended(rows, OURS, rows), "random": mended(rows, "random", rows)}
    return found | ours | {"autotrainer": mended(rows, "autotrainer", seen)}


def mended(rows: Sequence[Row], source: str, of: Sequence[Row]) -> dict[str, Any]:
    """Sum up how many sick runs a source of changes mends, by the place of the change that helped.

    Args:
        rows: all of the suite, which tell how runs went.
        of: those to mend where they are sick.
    """
    known = replay.outcomes_of(rows)
    sick = [row for row in of if known[row.run.case.id, row.run.seed] == outcomes.SICK
            and not row.run.case.rule.born_dead]  # fmt: skip
    beyond = sum(BEYOND in row.run.case.notes for row in sick)
    sick = [row for row in sick if BEYOND not in row.run.case.notes]
    found = repair.repairs(sick, [replay.bounds_of(rows, row) for row in sick], source)
    places = [sum(one.place == place for one in found) for place in range(1, repair.TRIES + 1)]
    codes = Counter(one.tries[one.place - 1].code for one in found if one.place)
    return {
        "runs": len(found),
        "beyond": beyond,
        "places": places,
        "within": [within(found, place) for place in (1, repair.TRIES)],
        "cost": mean(one.cost for one in found) if found else None,
        "gain": mean(one.gain for one in found) if found else None,
        "helped_by": dict(codes.most_common()),
        "not_mended": dict(Counter(one.case for one in found if not one.place).most_common()),
    }


def within(found: Sequence[Repair], place: int) -> Share:
    """Give the share of runs that one of so many changes has mended, with its interval."""
    mended_by = np.array([0 < one.place <= place for one in found], np.bool_)
    return share([one.case for one in found], mended_by, np.ones(len(found), np.bool_))
