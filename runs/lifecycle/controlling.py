"""What people want of runs: cancel, pause, resume, try again.

Every function takes many runs at once: a sweep of ten thousand is cancelled by four statements.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from runs.lifecycle.ordering import end_of_queue
from runs.models import Run, Search, Source, Status

_ANEW: dict[str, Any] = {
    "archived_at": None,
    "status": Status.QUEUED,
    "attempt": 0,
    "cancel_requested": False,
    "pause_requested": False,
    "started_at": None,
    "ended_at": None,
    "stop_reason": "",
    "error": "",
    "tier": "",
    "isa": "",
    "probe_share": None,
    "steps_run": 0,
    "summary": {},
    "score": None,
}


def cancel(run_id: int) -> bool:
    """Ask a run to stop: a waiting one ends at once, a running one within about a second."""
    return bool(cancel_all(Run.objects.filter(pk=run_id)))


def cancel_all(runs: QuerySet[Run]) -> int:
    """Ask runs to stop. Returns how many were not over yet.

    A search of which nothing is left that trains or waits makes no more trials.
    """
    searches = Search.objects.filter(closed_at=None, sweep__in=runs.order_by().values("sweep"))
    keys = list(searches.values_list("pk", flat=True))
    if not keys:
        return _cancel(runs)
    with transaction.atomic():
        held = Search.objects.filter(pk__in=keys)
        list(held.select_for_update())  # nobody adds trials meanwhile
        cancelled = _cancel(runs)
        wanted = Run.objects.not_over().filter(sweep=OuterRef("pk"), cancel_requested=False)
        held.filter(~Exists(wanted)).update(closed_at=Now())
    return cancelled


def pause(run_id: int) -> bool:
    """Hold a run: a waiting one at once, a running one once its worker has saved how far it is."""
    return bool(pause_all(Run.objects.filter(pk=run_id)))


def pause_all(runs: QuerySet[Run]) -> int:
    """Hold runs. Returns how many; what a program outside trains cannot be held."""
    ours = runs.filter(source=Source.ENGINE)
    running = ours.filter(cancel_requested=False, pause_requested=False)
    return _pause_waiting(ours) + _ask(running, pause_requested=True) + _pause_waiting(ours)


def resume(run_id: int) -> bool:
    """Let a paused run go on; it keeps its place in the queue."""
    return bool(resume_all(Run.objects.filter(pk=run_id)))


def resume_all(runs: QuerySet[Run]) -> int:
    """Let paused runs go on, and those that were only asked to pause. Returns how many."""
    asked = runs.filter(status__in=[Status.RUNNING, Status.LOST], pause_requested=True)
    kept = asked.update(pause_requested=False)
    paused = runs.filter(status=Status.PAUSED)
    return kept + paused.update(status=Status.QUEUED, queued_at=Now(), started_at=None)


def requeue(run_id: int) -> bool:
    """Put a run that is over, but did not finish, back into the queue, with all its attempts before it."""
    return bool(requeue_all(Run.objects.filter(pk=run_id)))


def requeue_all(runs: QuerySet[Run]) -> int:
    """Put runs that are over, but did not finish, back into the queue, at its end. Returns how many.

    A run that a program outside trains cannot be: no worker knows how to train it.
    """
    tried = runs.filter(source=Source.ENGINE, status__in=[Status.FAILED, Status.CANCELLED], deleted_at=None)
    return tried.update(queued_at=Now(), place=end_of_queue(), **_ANEW)


def _cancel(runs: QuerySet[Run]) -> int:
    # Between two looks a running run may have gone back to the queue, so the queue is asked once more.
    return _cancel_waiting(runs) + _ask(runs, cancel_requested=True) + _cancel_waiting(runs)


def _cancel_waiting(runs: QuerySet[Run]) -> int:
    waiting = runs.filter(status__in=[Status.QUEUED, Status.PAUSED, Status.LOST])
    ending = {"ended_at": Now(), "stop_reason": "cancelled", "pause_requested": False}
    return waiting.update(status=Status.CANCELLED, **ending)


def _pause_waiting(runs: QuerySet[Run]) -> int:
    return runs.filter(status=Status.QUEUED).update(status=Status.PAUSED)


def _ask(runs: QuerySet[Run], **wish: bool) -> int:
    return runs.filter(status=Status.RUNNING).update(**wish)
