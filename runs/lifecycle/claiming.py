"""What a worker does with the runs that it has: take them, keep them, ask what their owners wish."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, UUIDField, Value, When
from django.db.models.functions import Now

from runs import attempts
from runs.models import Run, Status

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from runs.models.runs import RunQuerySet

Claims: TypeAlias = Mapping[int, UUID]  # the fencing tokens of the runs that a worker holds, by run

LEASE = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=8)  # three beats may be missed

# Of the database's clock, like every other time here: the hosts' own clocks may disagree.
_LEASE_FROM_NOW = ExpressionWrapper(Now() + LEASE, output_field=DateTimeField())


class Wish(StrEnum):
    """What the owner of a running run wants its worker to do."""

    CANCEL = "cancel"
    PAUSE = "pause"


def claim(run_id: int, worker: str) -> UUID | None:
    """Take one queued run for this worker, whatever waits before it; its token guards every later write."""
    return claim_first(Run.objects.filter(pk=run_id), 1, worker).get(run_id)


def claim_first(waiting: RunQuerySet, most: int, worker: str) -> dict[int, UUID]:
    """Take the first of these queued runs for this worker, each with a fencing token of its own.

    Rows that another claim holds at this moment are left to it, so two claims never wait for each other.
    """
    with transaction.atomic():
        free = waiting.filter(status=Status.QUEUED).select_for_update(skip_locked=True, of=("self",))
        tokens = {run_id: uuid4() for run_id in free.values_list("pk", flat=True)[:most]}
        if tokens:
            cases = (When(pk=run_id, then=Value(token)) for run_id, token in tokens.items())
            own = Case(*cases, output_field=UUIDField())
            Run.objects.filter(pk__in=tokens, status=Status.QUEUED).update(token=own, **_held_by(worker))
            attempts.begin(tokens, worker)
    return tokens


def beat(claims: Claims) -> int:
    """Prolong the leases of the runs that are still the worker's own. Returns how many are."""
    return held(claims).update(lease_until=_LEASE_FROM_NOW)


def wishes(claims: Claims) -> dict[int, Wish]:
    """Return what the owners of a worker's runs want, by run; a run that shall just go on is not named."""
    asked = held(claims).filter(Q(cancel_requested=True) | Q(pause_requested=True))
    return {
        run_id: Wish.CANCEL if is_cancelled else Wish.PAUSE
        for run_id, is_cancelled in asked.values_list("pk", "cancel_requested")
    }


def held(claims: Claims) -> QuerySet[Run]:
    """Return those of a worker's runs that are still its own."""
    return Run.objects.filter(pk__in=claims, token__in=claims.values(), status=Status.RUNNING)


def _held_by(worker: str) -> dict[str, Any]:
    return {
        "status": Status.RUNNING,
        "lease_until": _LEASE_FROM_NOW,
        "attempt": F("attempt") + 1,
        "worker": worker,
        "started_at": Now(),
        "steps_run": 0,
        "error": "",
        "stop_reason": "",
    }
