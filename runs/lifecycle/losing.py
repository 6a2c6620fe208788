"""Runs whose workers fell silent, were stopped or cannot go on: back into the queue, or given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, PositiveIntegerField, Value, When
from django.db.models.functions import Greatest, Now

from runs import attempts
from runs.lifecycle.claiming import Claims, held
from runs.lifecycle.ending import RELEASED
from runs.models import Checkpoint, Outcome, Run, Source, Status
from runs.store import summaries

if TYPE_CHECKING:
    from django.db.models import QuerySet

MAX_ATTEMPTS = 3

# A run that takes its workers down shall not do so for ever, and a long one shall outlive any number of bad
# days: an attempt that went on from a checkpoint and came to a later one has cost nothing. The first one
# counts all the same, for a run that was ever lost trains without company.
_CAME_FURTHER = Exists(
    Checkpoint.objects.filter(
        run=OuterRef("pk"),
        run__attempts__ended_at=None,
        run__attempts__began_after__gt=0,
        run__attempts__began_after__lt=F("step"),
    )
)
_ATTEMPTS_THAT_COUNT = Case(
    When(
        _CAME_FURTHER, then=Greatest(F("attempt") - Value(1), Value(1), output_field=PositiveIntegerField())
    ),
    default=F("attempt"),
    output_field=PositiveIntegerField(),
)


def surrender(claims: Claims, reason: str = "", error: str = "") -> int:
    """Give up a worker's runs that it cannot go on with: they are queued again, and the attempt counts.

    Returns how many were queued.
    """
    _lose(held(claims), Outcome.GIVEN_BACK, reason, error)
    return settle_lost()


def mark_lost() -> int:
    """Take the runs of silent workers away from them. Returns how many."""
    silent = Run.objects.filter(status=Status.RUNNING, lease_until__lt=Now())
    return _lose(silent, Outcome.LOST, "silent", attempt=_ATTEMPTS_THAT_COUNT)


def release(host: str, *, orderly: bool) -> int:
    """Take the runs of a host back whose workers have all ended. Returns how many were queued.

    Args:
        orderly: they were stopped, so the attempt does not count; after a crash it may be the run's fault.
    """
    left = Run.objects.filter(status=Status.RUNNING, worker__startswith=f"{host}:")
    if orderly:
        _lose(left, Outcome.GIVEN_BACK, "stopped", attempt=F("attempt") - 1)
    else:
        _lose(left, Outcome.LOST, "crashed", attempt=_ATTEMPTS_THAT_COUNT)
    return settle_lost()


def give_back(worker: int) -> int:
    """Queue what a worker holds that is stopped in order; the attempt does not count.

    Args:
        worker: the key of its row.

    Returns how many were queued.
    """
    left = Run.objects.filter(attempts__worker=worker, attempts__ended_at=None)
    return _hand_back(left.filter(status=Status.RUNNING))


def hand_back(claims: Claims) -> int:
    """Queue runs of a worker that is being stopped in order; the attempt does not count.

    Returns how many were queued.
    """
    return _hand_back(held(claims))


def _hand_back(left: QuerySet[Run]) -> int:
    _lose(left, Outcome.GIVEN_BACK, "stopped", attempt=F("attempt") - 1)
    return settle_lost()


def settle_lost() -> int:
    """Queue lost runs again, or fail those that lost their worker too often. Returns how many were queued.

    One whose owner wished to cancel or to pause it is cancelled or paused. A lost run that a program outside
    trains stays lost until that program is heard of again, or its owner does not want it any more.
    """
    every = Run.objects.filter(status=Status.LOST)
    every.filter(cancel_requested=True).update(
        status=Status.CANCELLED, ended_at=Now(), stop_reason="cancelled", pause_requested=False
    )
    lost = every.filter(source=Source.ENGINE)
    lost.filter(attempt__gte=MAX_ATTEMPTS).update(
        status=Status.FAILED,
        ended_at=Now(),
        stop_reason="worker lost",
        pause_requested=False,
        error=f"The worker fell silent in {MAX_ATTEMPTS} attempts that came no further; its log may say why.",
    )
    lost.filter(pause_requested=True).update(status=Status.PAUSED, pause_requested=False)
    return lost.update(status=Status.QUEUED, queued_at=Now(), started_at=None)


def _lose(held: QuerySet[Run], outcome: Outcome, reason: str, error: str = "", **values: Any) -> int:
    """Take runs from who held them; the runs table shows their last points, since nobody may write more."""
    lost = 0
    for run_id in list(held.values_list("pk", flat=True)):
        with transaction.atomic():
            if held.filter(pk=run_id).update(status=Status.LOST, **values, **RELEASED):
                attempts.end([run_id], outcome, reason, error)
                summaries.refresh(run_id)
                lost += 1
    return lost
