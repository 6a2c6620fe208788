"""Runs that a program outside trains: it says itself how they stand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F
from django.db.models.functions import Now

from runs import attempts
from runs.lifecycle.ending import over
from runs.models import OVER, Outcome, Run, Source, Status

if TYPE_CHECKING:
    from django.db.models import QuerySet

OUTSIDE_LEASE = timedelta(minutes=5)  # such programs say less often than workers that they live

_OUTSIDE_LEASE_FROM_NOW = ExpressionWrapper(Now() + OUTSIDE_LEASE, output_field=DateTimeField())


def held_outside() -> dict[str, Any]:
    """Return the columns of a run that a program outside trains from now on."""
    return {"status": Status.RUNNING, "token": uuid4(), "lease_until": _OUTSIDE_LEASE_FROM_NOW}


def hear(run_id: int) -> bool:
    """Note that the program outside which trains a run lives; one that was taken for lost goes on."""
    if _outside(run_id, [Status.RUNNING]).update(lease_until=_OUTSIDE_LEASE_FROM_NOW):
        return True
    with transaction.atomic():
        is_back = bool(_outside(run_id, [Status.LOST]).update(**held_outside()))
        if is_back:
            attempts.reopen(run_id)
    return is_back


def resume_outside(run_id: int, after: int | None = None) -> bool:
    """Let the program outside go on with a run that is over, or that it takes up again.

    A request to stop ends with the run: who resumes it after that wants it again.

    Args:
        after: the step that it goes on from; None for the last one that the run has.
    """
    again: dict[str, Any] = {"ended_at": None, "stop_reason": "", "error": "", "attempt": F("attempt") + 1}
    with transaction.atomic():
        revived = _outside(run_id, OVER).update(cancel_requested=False, **again, **held_outside())
        if not revived and not _outside(run_id, [Status.RUNNING, Status.LOST]).update(
            **again, **held_outside()
        ):
            return False
        attempts.end([run_id], Outcome.LOST, "resumed")  # one that nobody said to have ended
        attempts.begin_outside(run_id, after=after)
    return True


def end_outside(run_id: int, status: Status, reason: str, error: str = "") -> bool:
    """End a run as the program outside which trained it says; one that was taken for lost was not, then."""
    with transaction.atomic():
        hear(run_id)
        return over(_outside(run_id, [Status.RUNNING]), run_id, status, reason, error)


def _outside(run_id: int, allowed: Iterable[Status]) -> QuerySet[Run]:
    return Run.objects.filter(pk=run_id, source=Source.OUTSIDE, status__in=allowed)
