"""End an outside run as its program says, and let it go on after that."""

from __future__ import annotations

from django.db import transaction

from runs import lifecycle
from runs.models import OVER, Run, Status
from runs.outside import summary
from runs.outside.errors import ClosedError
from runs.outside.hearing import held
from runs.store import writers
from runs.store.rewinding import rewind
from runs.store.writing import write

_REASONS = {Status.FINISHED: "end", Status.FAILED: "error", Status.CANCELLED: "cancelled"}


def end(run_id: int, status: Status, error: str = "") -> None:
    """End a run and store all that waits; ending it again in the same way changes nothing.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if it is in the trash, ended in another way, or trained by nnlab's own engine.
    """
    with transaction.atomic():
        found = held(run_id).status
        if found == status:
            return
        if found in OVER:
            raise ClosedError(f"run {run_id} is {found} already; resume it to go on")
        write(run_id, {}, final=True)
        summary.refresh(run_id)
        writers.forget_bodies(run_id)
        lifecycle.end_outside(run_id, status, _REASONS[status], error)


def resume(run_id: int, step: int | None = None) -> None:
    """Let a run go on, over or not.

    Args:
        step: the last one that stays; points after it are removed.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if it is in the trash, or trained by nnlab's own engine.
    """
    with transaction.atomic():
        held(run_id)
        if step is not None:
            rewind(run_id, step)
            Run.objects.filter(pk=run_id).update(score=None)
            summary.refresh(run_id)
            writers.forget_bodies(run_id)
        lifecycle.resume_outside(run_id, step)
