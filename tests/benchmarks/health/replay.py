"""All runs of some cases: trained or read, watched by every detector, and judged; on all cores."""

from __future__ import annotations

import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.health import alarms, outcomes
from tests.benchmarks.health.judge import Judged
from tests.benchmarks.health.training import events_of, info_of, records_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.health.alarms import Alarm
    from tests.benchmarks.health.cases import Case
    from tests.benchmarks.health.sickness import Sickness
    from tests.benchmarks.health.training import Run

OURS = "nnlab"
CORES = 2


@dataclass(frozen=True)
class Row:
    """What is known of a run after its replay.

    Args:
        found: scores, ``best`` and ``late``.
        said: alarms by detector.
        improved_by: single changes that make the configuration better, of those that were tried.
        diverged: whether numbers stopped being finite.
    """

    run: Run
    found: Mapping[str, float]
    baseline: float
    steps: int
    epoch_steps: float
    silent: bool
    said: Mapping[str, tuple[Alarm, ...]]
    diverged: bool
    improved_by: tuple[str, ...] = ()


def replay(run: Run, *, with_peers: bool = True) -> Row:
    """Train or read a run, and let every detector watch it."""
    from tests.benchmarks.health.peers import everybody  # noqa: PLC0415 - SciPy and more, in workers only

    records, info, rule = records_of(run), info_of(run), run.case.rule
    said = {OURS: tuple(alarms.of_events(events_of(run, records)))}
    if with_peers:
        said |= everybody.replay(run, records, info)
    return Row(
        run=run,
        found=outcomes.scores(records, rule.metric),
        baseline=info.baseline_metric if rule.metric == "val_accuracy" else 0.0,
        steps=info.steps,
        epoch_steps=run.case.epoch_steps or info.steps_per_epoch,
        silent=rule.born_dead and outcomes.has_silent_layer(run),
        said=said,
        diverged=records.nonfinite is not None,
    )


def replay_all(runs: Sequence[Run], *, peer_seeds: int = sys.maxsize, cores: int = CORES) -> list[Row]:
    """Replay runs on several cores.

    Args:
        peer_seeds: peers, who cost most of the time, see so many seeds of each case.
    """
    with ProcessPoolExecutor(cores) as pool:
        waiting = [pool.submit(replay, run, with_peers=run.seed < peer_seeds) for run in runs]
        return [one.result() for one in waiting]


def judged(
    rows: Sequence[Row], detector: str = OURS, sick: Mapping[tuple[str, int], Sickness] | None = None
) -> list[Judged]:
    """Set the alarms of one detector against the outcomes.

    Args:
        sick: what is wrong with runs, by case and seed, where that is known.
    """
    found, sick = outcomes_of(rows), sick or {}
    return [
        Judged(
            case=row.run.case.id,
            suite=row.run.case.suite,
            seed=row.run.seed,
            outcome=found[row.run.case.id, row.run.seed],
            problem=row.run.case.problem,
            accepts=row.run.case.accepts,
            steps=row.steps,
            epoch_steps=row.epoch_steps,
            alarms=row.said[detector],
            kind=one.kind if one else "",
            layers=one.layers if one else (),
        )
        for row, one in ((row, sick.get((row.run.case.id, row.run.seed))) for row in rows)
        if detector in row.said
    ]


def outcomes_of(rows: Sequence[Row]) -> dict[tuple[str, int], str]:
    """Tell how each run went, by case and seed."""
    by_case: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_case[row.run.case.id].append(row)
    found = {}
    for name, members in by_case.items():
        case = members[0].run.case
        reference = by_case.get(case.rule.reference, [])
        for row in members:
            found[name, row.run.seed] = _outcome(case, row, reference)
        if case.rule.by_changes:
            is_sick = bool(members[0].improved_by) or is_harmed(members, reference)
            found |= {(name, row.run.seed): _agreed(found[name, row.run.seed], is_sick=is_sick)
                      for row in members}  # fmt: skip
    return found


def _outcome(case: Case, row: Row, reference: Sequence[Row]) -> str:
    rule = case.rule
    if rule.born_dead:
        good = row.found[rule.statistic] >= (rule.healthy_from or 0.0)
        return outcomes.SICK if row.silent else outcomes.HEALTHY if good else outcomes.MID
    if rule.reference and not reference:
        return outcomes.MID
    return outcomes.by_bounds(row.found[rule.statistic], *_bounds(row, reference))


def _bounds(row: Row, reference: Sequence[Row]) -> tuple[float, float]:
    rule = row.run.case.rule
    if rule.reference:
        return outcomes.bounds_from(_scores(reference, row.run.case), row.baseline)
    return rule.sick_below or 0.0, rule.healthy_from or 0.0


def bounds_of(rows: Sequence[Row], row: Row) -> tuple[float, float]:
    """Give what is sick and what is healthy for a run."""
    return _bounds(row, [other for other in rows if other.run.case.id == row.run.case.rule.reference])


def is_harmed(members: Sequence[Row], reference: Sequence[Row]) -> bool:
    """Say whether a configuration is worse than what it was made from."""
    return outcomes.is_improved([row.found for row in members], [row.found for row in reference])


def _agreed(alone: str, *, is_sick: bool) -> str:
    """A run counts where its own score and the comparisons of its configuration agree."""
    agree = outcomes.SICK if is_sick else outcomes.HEALTHY
    return alone if alone == agree else outcomes.MID


def _scores(rows: Sequence[Row], case: Case) -> list[float]:
    return [row.found[case.rule.statistic] for row in rows]
