"""How an attempt ends that its worker ends itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from runs import attempts
from runs.models import Outcome, Run, Status

if TYPE_CHECKING:
    from django.db.models import QuerySet

RELEASED: dict[str, Any] = {"token": None, "lease_until": None}  # the columns of a run that nobody holds


def finish(run_id: int, token: UUID, reason: str = "end", words: str = "") -> bool:
    """End a run that trained to its last step, or stopped early because it had learned what it could.

    Args:
        words: why a rule of its search stopped it, for its owner.
    """
    return over(_own(run_id, token), run_id, Status.FINISHED, reason, words)


def fail(run_id: int, token: UUID, reason: str, error: str) -> bool:
    """End a run that could not go on, and keep why."""
    return over(_own(run_id, token), run_id, Status.FAILED, reason, error)


def stop(run_id: int, token: UUID) -> bool:
    """End a running run whose owner asked for it."""
    return over(_own(run_id, token), run_id, Status.CANCELLED, "cancelled")


def hold(run_id: int, token: UUID) -> bool:
    """Let go of a run that its owner wants to pause; the attempt does not count, for nothing went wrong.

    It changes nothing where the owner wants that no more, or something else.
    """
    with transaction.atomic():
        won = (
            _own(run_id, token)
            .filter(pause_requested=True, cancel_requested=False)
            .update(status=Status.PAUSED, pause_requested=False, attempt=F("attempt") - 1, **RELEASED)
        )
        if won:
            attempts.end([run_id], Outcome.PAUSED, "paused")
    return bool(won)


def over(held: QuerySet[Run], run_id: int, status: Status, reason: str, error: str = "") -> bool:
    """End a run and its attempt, in the same words."""
    with transaction.atomic():
        ending = {"ended_at": Now(), "stop_reason": reason, "error": error, "pause_requested": False}
        won = held.update(status=status, **ending, **RELEASED)
        if won:
            attempts.end([run_id], Outcome(status), reason, error)
    return bool(won)


def _own(run_id: int, token: UUID) -> QuerySet[Run]:
    return Run.objects.filter(pk=run_id, token=token, status=Status.RUNNING)
