"""Further trials of Bayesian searches, as results come.

It may be called by many processes at once, and be cut off anywhere: what is proposed depends on the rows
alone, and is stored in one short transaction that holds the search's row and sees whether anybody else has
been faster. The scheduler calls it at every look, and a worker when it has trained its runs.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from nnlab.search.errors import SearchError
from nnlab.search.proposing import State, propose
from nnlab.search.proposing import Trial as Tried
from nnlab.search.space import Point
from runs import submission
from runs.models import Run, Search
from runs.reading.metrics import higher_is_better
from runs.searching.outcomes import Outcome, outcomes
from runs.store.outage import each_apart
from runs.submitted.networks import Limits
from runs.submitted.specification import Planned, Specification, SubmissionError

logger = logging.getLogger(__name__)


def propose_all() -> int:
    """Let every search that is not over go on. Returns how many trials were added."""
    searches = Search.objects.filter(closed_at=None).select_related("sweep__project")
    return each_apart(go_on, searches)


def propose_for(run_ids: Collection[int]) -> int:
    """Let the searches of these runs go on. Returns how many trials were added."""
    sweeps = Run.objects.filter(pk__in=run_ids).values("sweep")
    searches = Search.objects.filter(closed_at=None, sweep__in=sweeps).select_related("sweep__project")
    return each_apart(go_on, searches)


def go_on(search: Search) -> int:
    """Add the trials that are due to a search, and close it once it has all. Returns how many were added."""
    known = outcomes(search)
    missing = search.trials_wanted - len(known)
    if missing <= 0:
        _close(search)
        return 0
    try:
        spec = submission.parse(search.sweep.specification)
    except SubmissionError as error:
        return _give_up(search, len(known), str(error))
    plan = spec.search
    assert plan is not None  # noqa: S101 - for the type checker; a sweep with a search was submitted with one
    assert plan.space is not None  # noqa: S101 - only a search with a space has trials missing
    active = sum(one.state is State.RUNNING for one in known)
    due = min(missing, plan.parallel - active)
    if due <= 0:
        return 0
    sign = -1.0 if higher_is_better(search.metric) else 1.0
    try:
        points = propose(plan.space, [_tried(one, sign) for one in known], due, plan.seed)
    except SearchError as error:
        return _give_up(search, len(known), str(error))
    return _add(search, spec, len(known), points)


def _tried(outcome: Outcome, sign: float) -> Tried:
    value = None if outcome.value is None else sign * outcome.value
    return Tried(outcome.trial.point, outcome.state, value, outcome.steps)


def _add(search: Search, spec: Specification, first: int, points: Sequence[Point]) -> int:
    """Store trials and their runs, unless somebody else was faster or the search was closed."""
    numbered = dict(enumerate(points, start=first))
    planned: list[Planned] = []
    errors: dict[int, str] = {}
    limits = Limits(settings.MAX_RUNS_PER_SWEEP, settings.MAX_STEPS_PER_RUN)
    for number, point in numbered.items():
        try:
            planned += spec.further(number, point, limits)
        except SubmissionError as error:
            errors[number] = str(error)
    with transaction.atomic():
        if not _is_still_at(search, first):
            return 0
        trials = submission.add_trials(search, numbered)
        for number, why in errors.items():
            search.trials.filter(number=number).update(error=why)
        if planned:
            submission.add_runs(search.sweep, spec, planned, trials)
    logger.info("search of sweep %s: trials %s to %s proposed", search.pk, first, first + len(points) - 1)
    return len(points)


def _give_up(search: Search, first: int, error: str) -> int:
    """Close a search that cannot go on, with a trial that says why."""
    with transaction.atomic():
        if _is_still_at(search, first):
            submission.add_trials(search, {first: {}})
            search.trials.filter(number=first).update(error=error)
            _close(search)
            logger.warning("search of sweep %s ends: %s", search.pk, error)
    return 0


def _is_still_at(search: Search, trials: int) -> bool:
    """Hold the search's row; whether it is open and has as many trials as before."""
    held = Search.objects.select_for_update().filter(pk=search.pk, closed_at=None)
    return bool(list(held.values_list("pk"))) and search.trials.count() == trials


def _close(search: Search) -> None:
    Search.objects.filter(pk=search.pk, closed_at=None).update(closed_at=Now())
