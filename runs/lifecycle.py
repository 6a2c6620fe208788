"""Every change of a run's status.

Each function is one conditional UPDATE. It returns False (or None), and changes nothing, where the run was
not in a state that allows the change: another process got there first. A worker's changes carry the
fencing token of its claim: once the run was given to somebody else, the token no longer fits.

Where a change begins or ends an attempt, the same transaction writes that into the run's history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, UUIDField, Value, When
from django.db.models.functions import Now

from runs import attempts
from runs.models import OVER, Outcome, Run, Source, Status
from runs.store import summaries

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from runs.models.runs import RunQuerySet

Claims: TypeAlias = Mapping[int, UUID]  # the fencing tokens of the runs that a worker holds, by run

LEASE = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=8)  # three beats may be missed
MAX_ATTEMPTS = 3
OUTSIDE_LEASE = timedelta(minutes=5)  # of programs that others wrote: they say less often that they live

_RELEASED = {"token": None, "lease_until": None}
# Of the database's clock, like every other time here: the hosts' own clocks may disagree.
_LEASE_FROM_NOW = ExpressionWrapper(Now() + LEASE, output_field=DateTimeField())
_OUTSIDE_LEASE_FROM_NOW = ExpressionWrapper(Now() + OUTSIDE_LEASE, output_field=DateTimeField())


def claim(run_id: int, worker: str) -> UUID | None:
    """Take a queued run for this worker; the token returned guards every later write."""
    token = uuid4()
    queued = Run.objects.filter(pk=run_id, status=Status.QUEUED)
    with transaction.atomic():
        if not queued.update(token=token, **_held_by(worker)):
            return None
        attempts.begin([run_id], worker)
    return token


def claim_first(waiting: RunQuerySet, most: int, worker: str) -> dict[int, UUID]:
    """Take the first of these queued runs for this worker, each with a token of its own.

    Rows that another claim holds at this moment are left to it, so two claims never wait for each other.
    """
    with transaction.atomic():
        free = waiting.filter(status=Status.QUEUED).select_for_update(skip_locked=True)
        tokens = {run_id: uuid4() for run_id in free.values_list("pk", flat=True)[:most]}
        if tokens:
            cases = (When(pk=run_id, then=Value(token)) for run_id, token in tokens.items())
            own = Case(*cases, output_field=UUIDField())
            Run.objects.filter(pk__in=tokens, status=Status.QUEUED).update(token=own, **_held_by(worker))
            attempts.begin(tokens, worker)
    return tokens


def beat(claims: Claims) -> int:
    """Prolong the leases of the runs that are still the worker's own. Returns how many are."""
    return _held(claims).update(lease_until=_LEASE_FROM_NOW)


def asked_to_stop(claims: Claims) -> list[int]:
    """Return those of a worker's runs whose owners do not want them any more."""
    return list(_held(claims).filter(cancel_requested=True).values_list("pk", flat=True))


def finish(run_id: int, token: UUID, reason: str = "end") -> bool:
    """End a run that trained to its last step, or stopped early because it had learned what it could."""
    return _end(run_id, token, Status.FINISHED, reason)


def fail(run_id: int, token: UUID, reason: str, error: str) -> bool:
    """End a run that could not go on, and keep why."""
    return _end(run_id, token, Status.FAILED, reason, error)


def stop(run_id: int, token: UUID) -> bool:
    """End a running run whose owner asked for it."""
    return _end(run_id, token, Status.CANCELLED, "cancelled")


def surrender(claims: Claims, reason: str = "", error: str = "") -> int:
    """Give up a worker's runs that it cannot go on with: they are queued again, and the attempt counts.

    Returns how many were queued.
    """
    _lose(_held(claims), Outcome.GIVEN_BACK, reason, error)
    return settle_lost()


def cancel(run_id: int) -> bool:
    """Ask a run to stop: a waiting one ends at once, a running one within about a second."""
    # Between two looks a running run may have gone back to the queue, so the queue is asked once more.
    return _cancel_waiting(run_id) or _ask_running(run_id) or _cancel_waiting(run_id)


def requeue(run_id: int) -> bool:
    """Put a run that is over, but did not finish, back into the queue, with all its attempts before it.

    A run that a program outside trains cannot be: no worker knows how to train it.
    """
    over = Run.objects.kept().filter(
        pk=run_id, source=Source.ENGINE, status__in=[Status.FAILED, Status.CANCELLED]
    )
    return bool(
        over.update(
            status=Status.QUEUED,
            attempt=0,
            cancel_requested=False,
            queued_at=Now(),
            published_at=None,
            started_at=None,
            ended_at=None,
            stop_reason="",
            error="",
            tier="",
            isa="",
            probe_share=None,
            steps_run=0,
            summary={},
            score=None,
        )
    )


def mark_lost() -> int:
    """Take the runs of silent workers away from them. Returns how many."""
    silent = Run.objects.filter(status=Status.RUNNING, lease_until__lt=Now())
    return _lose(silent, Outcome.LOST, "silent")


def release(host: str, *, orderly: bool) -> int:
    """Take the runs of a host back whose workers have all ended. Returns how many were queued.

    Args:
        orderly: they were stopped, so the attempt does not count; after a crash it may be the run's fault.
    """
    left = Run.objects.filter(status=Status.RUNNING, worker__startswith=f"{host}:")
    if orderly:
        _lose(left, Outcome.GIVEN_BACK, "stopped", attempt=F("attempt") - 1)
    else:
        _lose(left, Outcome.LOST, "crashed")
    return settle_lost()


def give_back(worker: int) -> int:
    """Queue what a worker holds that is stopped in order; the attempt does not count.

    Args:
        worker: the key of its row.

    Returns how many were queued.
    """
    left = Run.objects.filter(attempts__worker=worker, attempts__ended_at=None)
    _lose(left.filter(status=Status.RUNNING), Outcome.GIVEN_BACK, "stopped", attempt=F("attempt") - 1)
    return settle_lost()


def settle_lost() -> int:
    """Queue lost runs again, or fail those that lost their worker too often. Returns how many were queued.

    A lost run that a program outside trains stays lost until that program is heard of again, or its owner
    does not want it any more.
    """
    every = Run.objects.filter(status=Status.LOST)
    every.filter(cancel_requested=True).update(
        status=Status.CANCELLED, ended_at=Now(), stop_reason="cancelled"
    )
    lost = every.filter(source=Source.ENGINE)
    lost.filter(attempt__gte=MAX_ATTEMPTS).update(
        status=Status.FAILED,
        ended_at=Now(),
        stop_reason="worker lost",
        error=f"The worker fell silent in each of {MAX_ATTEMPTS} attempts; its log may say why.",
    )
    return lost.update(status=Status.QUEUED, queued_at=Now(), published_at=None, started_at=None)


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
        over = _outside(run_id, OVER).update(cancel_requested=False, **again, **held_outside())
        if not over and not _outside(run_id, [Status.RUNNING, Status.LOST]).update(**again, **held_outside()):
            return False
        attempts.end([run_id], Outcome.LOST, "resumed")  # one that nobody said to have ended
        attempts.begin_outside(run_id, after=after)
    return True


def end_outside(run_id: int, status: Status, reason: str, error: str = "") -> bool:
    """End a run as the program outside which trained it says; one that was taken for lost was not, then."""
    with transaction.atomic():
        hear(run_id)
        return _over(_outside(run_id, [Status.RUNNING]), run_id, status, reason, error)


def _outside(run_id: int, allowed: Iterable[Status]) -> QuerySet[Run]:
    return Run.objects.filter(pk=run_id, source=Source.OUTSIDE, status__in=allowed)


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


def _held(claims: Claims) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=claims, token__in=claims.values(), status=Status.RUNNING)


def _lose(held: QuerySet[Run], outcome: Outcome, reason: str, error: str = "", **values: Any) -> int:
    """Take runs from who held them; the runs table shows their last points, since nobody may write more."""
    lost = 0
    for run_id in list(held.values_list("pk", flat=True)):
        with transaction.atomic():
            if held.filter(pk=run_id).update(status=Status.LOST, **values, **_RELEASED):
                attempts.end([run_id], outcome, reason, error)
                summaries.refresh(run_id)
                lost += 1
    return lost


def _cancel_waiting(run_id: int) -> bool:
    waiting = Run.objects.filter(pk=run_id, status__in=[Status.QUEUED, Status.LOST])
    return bool(waiting.update(status=Status.CANCELLED, ended_at=Now(), stop_reason="cancelled"))


def _ask_running(run_id: int) -> bool:
    return bool(Run.objects.filter(pk=run_id, status=Status.RUNNING).update(cancel_requested=True))


def _end(run_id: int, token: UUID, status: Status, reason: str, error: str = "") -> bool:
    mine = Run.objects.filter(pk=run_id, token=token, status=Status.RUNNING)
    return _over(mine, run_id, status, reason, error)


def _over(held: QuerySet[Run], run_id: int, status: Status, reason: str, error: str) -> bool:
    """End a run and its attempt, in the same words."""
    with transaction.atomic():
        won = held.update(status=status, ended_at=Now(), stop_reason=reason, error=error, **_RELEASED)
        if won:
            attempts.end([run_id], Outcome(status), reason, error)
    return bool(won)
