"""A search as pages and the API show it: how far it is, its best trial, its rungs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.search.proposing import State
from runs.models import Rung, Search, Sweep
from runs.reading.metrics import higher_is_better
from runs.searching.outcomes import Outcome, outcomes


@dataclass(frozen=True)
class RungSummary:
    """One rung of successive halving.

    Args:
        level: 1 for the first.
        best: score that was reached there; None where none was finite.
    """

    level: int
    arrived: int
    went_on: int
    best: float | None

    @property
    def stopped(self) -> int:
        """How many trials ended there."""
        return self.arrived - self.went_on


@dataclass(frozen=True)
class SearchSummary:
    """A search at this moment.

    Args:
        wanted: trials that it comes to; fewer are made where it was closed before.
        is_open: whether it may make more trials.
        best: the best of the trials that trained to their end, else of those that were stopped.
        why_ended: why it could not go on.
    """

    method: str
    metric: str
    wanted: int
    made: int
    counts: Mapping[str, int]
    is_open: bool
    best: Outcome | None
    rungs: Sequence[RungSummary]
    steps: int
    why_ended: str

    @property
    def over(self) -> int:
        """How many trials have ended, in whatever way."""
        return self.made - self.counts.get(State.RUNNING, 0)

    @property
    def stopped(self) -> int:
        """How many trials were stopped by a rung or a rule."""
        return self.counts.get(State.STOPPED, 0)

    @property
    def failed(self) -> int:
        """How many trials told nothing."""
        return self.counts.get(State.FAILED, 0)

    @property
    def higher(self) -> bool:
        """Whether a larger value is better."""
        return higher_is_better(self.metric)

    @property
    def is_whole(self) -> bool:
        """Whether the best trial trained to its end."""
        return self.best is not None and self.best.state is State.DONE


def summarise(sweep: Sweep) -> SearchSummary | None:
    """Summarise the search of a sweep, in four queries; None, without any, where it has none."""
    asked: Any = sweep.specification.get("search")
    if not isinstance(asked, dict):
        return None
    search = Search.objects.filter(sweep=sweep).first()
    if search is None:
        return None
    found = outcomes(search)
    errors = [one.trial.error for one in found if one.trial.error and not one.trial.point]
    return SearchSummary(
        method=str(asked.get("method", "grid")),
        metric=search.metric,
        wanted=search.trials_wanted,
        made=len(found),
        counts=Counter(one.state for one in found),
        is_open=search.closed_at is None,
        best=_best(found, search.metric),
        rungs=_rungs(search),
        steps=sum(one.steps for one in found),
        why_ended=errors[0] if errors else "",
    )


def _best(found: Sequence[Outcome], metric: str) -> Outcome | None:
    sign = -1.0 if higher_is_better(metric) else 1.0
    for state in (State.DONE, State.STOPPED):
        known = [one for one in found if one.state is state and math.isfinite(_known(one))]
        if known:
            return min(known, key=lambda one: sign * _known(one))
    return None


def _known(outcome: Outcome) -> float:
    return math.inf if outcome.value is None else outcome.value


def _rungs(search: Search) -> list[RungSummary]:
    by_level: dict[int, list[Rung]] = {}
    for rung in Rung.objects.filter(trial__search=search).order_by("level", "pk"):
        by_level.setdefault(rung.level, []).append(rung)
    choose = max if higher_is_better(search.metric) else min
    return [
        RungSummary(
            level=level + 1,
            arrived=len(rungs),
            went_on=sum(rung.goes_on for rung in rungs),
            best=choose((rung.score for rung in rungs if rung.score is not None), default=None),
        )
        for level, rungs in by_level.items()
    ]
