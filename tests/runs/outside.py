"""Builders of runs that a program outside trains."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from runs import lifecycle
from runs.models import Run, Source, Status, Sweep
from tests.runs.builders import build_sweep


def build_outside_run(status: Status = Status.RUNNING, *, sweep: Sweep | None = None, **fields: Any) -> Run:
    """Make an outside run in a state, as the product leaves it there; it said nothing of itself."""
    sweep = sweep or build_sweep()
    now = timezone.now()
    columns: dict[str, Any] = {
        "project": sweep.project,
        "sweep": sweep,
        "name": "outside",
        "source": Source.OUTSIDE,
        "config": {},
        "group": "0123456789ab",
        "attempt": 1,
        "started_at": now - timedelta(seconds=60),
    }
    if status == Status.RUNNING:
        columns |= {"token": uuid.uuid4(), "lease_until": now + lifecycle.OUTSIDE_LEASE}
    elif status != Status.LOST:
        columns |= {"ended_at": now, "stop_reason": "end"}
    return Run.objects.create(status=status, **{**columns, **fields})


def silence(run: Run) -> None:
    """Let a run's lease end."""
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)
