"""Successive halving over the trials of a search: who has arrived at a rung, and who goes on.

With several seeds a trial is judged once, by the mean over them, when the last of its runs has arrived or is
over; until then all of them train on. So no trial is judged by its luckiest seed, and all of its runs share
one fate. Called within a transaction that holds the search's row.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any

from nnlab.search.halving import Halving
from runs.models import Mark, Run, Rung, Search
from runs.models.runs import OVER
from runs.reading.metrics import higher_is_better

_COLUMNS = ("pk", "trial_id", "status", "stop_reason", "summary")


def judge(search: Search, factor: int, trials: Collection[int | None]) -> dict[int, str]:
    """Judge those of these trials that have arrived at a rung. Returns why which of them stop, in words.

    Trials that were told to stop before are among them: their runs may train on several workers.
    """
    runs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in Run.objects.filter(trial__in=trials).values(*_COLUMNS):
        runs[row["trial_id"]].append(row)
    marks = _marks(search, runs)
    judged = {(rung.trial_id, rung.level) for rung in Rung.objects.filter(trial__in=runs)}
    stopped = dict(Rung.objects.filter(trial__in=runs, goes_on=False).values_list("trial_id", "level"))
    for level in sorted({level for _, level in marks}):
        waiting = [trial for trial in sorted(runs) if (trial, level) not in judged and trial not in stopped]
        arrived = {
            trial: _score(runs[trial], marks.get((trial, level), {}), search.metric) for trial in waiting
        }
        scores = {trial: score for trial, score in arrived.items() if score is not None}
        found = _decide(search, factor, level, scores)
        stopped |= {rung.trial_id: level for rung in found if not rung.goes_on}
    return _words(search, stopped)


def _marks(search: Search, trials: Collection[int]) -> dict[tuple[int, int], dict[int, float]]:
    """Read what runs showed at the rungs: by trial and level, then by run; smaller is better."""
    found: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
    rows = Mark.objects.filter(run__trial__in=trials, rule=Mark.Rule.HALVING)
    for trial, run, level, value in rows.values_list("run__trial", "run", "level", "value"):
        found[trial, level][run] = math.inf if value is None else value
    return found


def _score(runs: Sequence[Mapping[str, Any]], shown: Mapping[int, float], metric: str) -> float | None:
    """Return the score of a trial at a rung; None while one of its runs is on its way there.

    A run that diverged before counts as infinitely bad, one that stopped early by what it had reached; one
    that failed or was cancelled is left out.
    """
    values = []
    for run in runs:
        if run["pk"] in shown:
            values.append(shown[run["pk"]])
        elif run["status"] not in OVER:
            return None
        elif run["stop_reason"] == "diverged":
            values.append(math.inf)
        elif run["status"] == "finished" and isinstance(reached := run["summary"].get(metric), float):
            values.append(-reached if higher_is_better(metric) else reached)
    return fmean(values) if values and shown else None


def _decide(search: Search, factor: int, level: int, scores: Mapping[int, float]) -> list[Rung]:
    """Store what becomes of trials that have arrived at a rung at the same time."""
    sign = -1.0 if higher_is_better(search.metric) else 1.0
    before = Rung.objects.filter(trial__search=search, level=level).values_list("score", flat=True)
    known = [math.inf if score is None else sign * score for score in before] + list(scores.values())
    halving = Halving(1, factor)
    return Rung.objects.bulk_create(
        Rung(
            trial_id=trial,
            level=level,
            score=sign * score if math.isfinite(score) else None,
            goes_on=halving.goes_on(score, known),
            arrived=len(known),
        )
        for trial, score in scores.items()
    )


def _words(search: Search, stopped: Mapping[int, int]) -> dict[int, str]:
    """Say why trials stop."""
    words = {}
    for rung in Rung.objects.filter(trial__in=stopped, goes_on=False).select_related("trial"):
        shown = "no finite" if rung.score is None else f"{rung.score:.4g}"
        words[rung.trial_id] = (
            f"Halved at rung {rung.level + 1}: {shown} {search.metric} was not among the best of the"
            f" {rung.arrived} trials that had come there."
        )
    return words
