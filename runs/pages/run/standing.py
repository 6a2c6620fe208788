"""How a run stands, on top of every tab: and of one that waits, fell silent or diverged what is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from runs import lifecycle
from runs.estimating.starts import expected_starts
from runs.models import Alert, Checkpoint, Run, Status
from runs.pages.run.view import RunPage, is_loud

_MAY_GO_ON = (Status.LOST, Status.PAUSED, Status.FAILED, Status.CANCELLED)
_SOON = timedelta(seconds=5)  # before that nobody can tell


def standing(page: RunPage) -> dict[str, Any]:
    """Return what the head of a run's page says besides the run itself."""
    found = page.run
    return {
        "loud": sum(is_loud(alert) for alert in page.alerts),
        "expected": expected_starts([found.pk]).get(found.pk) if found.status == Status.QUEUED else None,
        "silent_since": _silent_since(found) if found.status == Status.LOST else None,
        "breaking": _breaking(page) if found.diverged else None,
        "kept_step": _kept_step(found) if found.status in _MAY_GO_ON else None,
        "left": _left(found) if found.status == Status.RUNNING else None,
    }


def _left(found: Run) -> timedelta | None:
    """Return about how long a run still takes, going on as its present attempt did so far."""
    if found.started_at is None or found.steps_requested is None:
        return None
    began = 0
    if found.attempt > 1:
        began = found.attempts.order_by("-number").values_list("began_after", flat=True).first() or 0
    done, taken = found.steps_run - began, timezone.now() - found.started_at
    if done < 1 or taken < _SOON:
        return None
    return taken * ((found.steps_requested - found.steps_run) / done)


def _silent_since(found: Run) -> Any:
    """Return about when the worker, or the program outside, was last heard of."""
    last = found.attempts.exclude(ended_at=None).order_by("-number").first()
    if last is None or last.ended_at is None:
        return None
    return max(last.started_at, last.ended_at - lifecycle.LEASE)


def _breaking(page: RunPage) -> Alert | None:
    """Return the alert that tells where the numbers stopped being finite, if one does."""
    return next((alert for alert in page.alerts if alert.check_id == "nonfinite"), None)


def _kept_step(found: Run) -> int | None:
    """Return the step of the checkpoint that the run goes on from, or that was kept before it diverged."""
    return Checkpoint.objects.filter(run=found).values_list("step", flat=True).first()
