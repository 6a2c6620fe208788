"""Whether a run takes what a program outside sends; asked at the beginning of every transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from runs import lifecycle
from runs.models import OVER, Run, Source, Status
from runs.outside.errors import ClosedError, NoRunError

NOTED_EVERY = timedelta(seconds=1)


class State(NamedTuple):
    """Where a run stands that takes what is sent."""

    status: str
    source: str
    stop: bool  # its owner does not want it any more; the program decides
    lease_until: datetime | None
    started_at: datetime
    deleted_at: datetime | None

    @property
    def is_due(self) -> bool:
        """Whether its row, which is wide, was not written for a while."""
        if self.status != Status.RUNNING or self.lease_until is None:
            return True
        return self.lease_until < timezone.now() + lifecycle.OUTSIDE_LEASE - NOTED_EVERY


_COLUMNS = ("status", "source", "cancel_requested", "lease_until", "started_at", "deleted_at")


def held(run_id: int) -> State:
    """Lock a run until the end of the transaction, and return where it stands.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if it is in the trash, or nnlab's own engine trains it.
    """
    found = Run.objects.select_for_update().filter(pk=run_id).order_by().values_list(*_COLUMNS)
    state = next((State(*row) for row in found), None)
    if state is None:
        raise NoRunError(f"there is no run {run_id}")
    if state.source != Source.OUTSIDE:
        raise ClosedError(f"run {run_id} is trained by nnlab's own engine, which alone writes into it")
    if state.deleted_at is not None:
        raise ClosedError(f"run {run_id} is in the trash; restore it to go on")
    return state


def listened(run_id: int) -> State:
    """Lock a run that is not over, and note that its program lives.

    The lease is prolonged once a second at most.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if it takes nothing now.
    """
    state = held(run_id)
    if state.status in OVER:
        raise ClosedError(f"run {run_id} is {state.status}; resume it to go on")
    if state.is_due:
        lifecycle.hear(run_id)
    return state
