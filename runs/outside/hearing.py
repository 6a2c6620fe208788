"""Whether a run takes what a program outside sends; asked at the beginning of every transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.models import OVER, Source, Status
from runs.outside.errors import ClosedError, NoRunError
from runs.store import rows

NOTED_EVERY = timedelta(seconds=1)

# In SQL of our own, because building the same query by the ORM takes longer than all of its answer. The row
# stays locked until the transaction ends, so that no run ends while a batch is on its way into it.
_STATE = """
SELECT run.status, run.source, run.cancel_requested, run.deleted_at IS NOT NULL,
    run.lease_until IS NULL OR run.lease_until < %s, run.started_at, coalesce(ledger.pending_points, 0)
FROM runs_run run LEFT JOIN runs_ledger ledger ON ledger.run_id = run.id WHERE run.id = %s"""
_LOCK = {"postgresql": " FOR UPDATE OF run"}


class State(NamedTuple):
    """Where a run stands.

    Args:
        stop: whether its owner does not want it any more; the program decides.
        is_due: whether its row, which is wide, was not written for a second.
        pending: points that wait to become chunks.
    """

    status: str
    source: str
    stop: bool
    is_deleted: bool
    is_due: bool
    started_at: datetime
    pending: int


def held(run_id: int) -> State:
    """Lock a run until the end of the transaction, and return where it stands.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if it is in the trash, or nnlab's own engine trains it.
    """
    state = _state(run_id)
    if state is None:
        raise NoRunError(f"there is no run {run_id}")
    if state.source != Source.OUTSIDE:
        raise ClosedError(f"run {run_id} is trained by nnlab's own engine, which alone writes into it")
    if state.is_deleted:
        raise ClosedError(f"run {run_id} is in the trash; restore it to go on")
    return state


def listened(run_id: int) -> State:
    """Lock a run that is not over, and note that its program lives; once a second at most.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if it takes nothing now.
    """
    state = held(run_id)
    if state.status in OVER:
        raise ClosedError(f"run {run_id} is {state.status}; resume it to go on")
    if state.is_due or state.status != Status.RUNNING:
        lifecycle.hear(run_id)
    return state


def _state(run_id: int) -> State | None:
    fresh_until = timezone.now() + lifecycle.OUTSIDE_LEASE - NOTED_EVERY
    moment = connection.ops.adapt_datetimefield_value(fresh_until)
    found = rows.fetch(_STATE + _LOCK.get(connection.vendor, ""), (moment, run_id))
    if not found:
        return None
    status, source, stop, is_deleted, is_due, started_at, pending = found[0]
    begun = started_at if started_at.tzinfo else started_at.replace(tzinfo=UTC)  # SQLite has no zones
    return State(status, source, bool(stop), bool(is_deleted), bool(is_due), begun, pending)
