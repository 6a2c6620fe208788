"""How a run stands, on top of every tab: and of one that waits, fell silent or diverged what is known."""

from __future__ import annotations

from typing import Any

from runs import lifecycle
from runs.estimating.starts import expected_starts
from runs.models import Alert, Checkpoint, Run, Status
from runs.pages.run.view import RunPage, is_loud


def standing(page: RunPage) -> dict[str, Any]:
    """Return what the head of a run's page says besides the run itself."""
    found = page.run
    return {
        "loud": sum(is_loud(alert) for alert in page.alerts),
        "expected": expected_starts([found.pk]).get(found.pk) if found.status == Status.QUEUED else None,
        "silent_since": _silent_since(found) if found.status == Status.LOST else None,
        "breaking": _breaking(page) if found.diverged else None,
        "kept_step": _kept_step(found) if found.diverged else None,
    }


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
    """Return the step of the checkpoint before the run diverged."""
    return Checkpoint.objects.filter(run=found).values_list("step", flat=True).first()
