"""The run that an address names, and how it is told."""

from __future__ import annotations

from typing import Any

from ninja.errors import HttpError

from runs.api.schemas import RunOut
from runs.models import Run
from runs.store.marks import tags_of


def found(run_id: int) -> Run:
    """Return a run with its project.

    Raises:
        HttpError: 404 where there is none, or it is in the trash.
    """
    run = Run.objects.select_related("project").filter(pk=run_id).first()
    if run is None:
        raise HttpError(404, f"there is no run {run_id}")
    if run.deleted_at:
        raise HttpError(404, f"run {run_id} is in the trash; POST /api/runs/{run_id}/restore brings it back")
    return run


def run_answer(run: Run) -> dict[str, Any]:
    """Describe a run as ``RunOut`` does."""
    fields = [name for name in RunOut.model_fields if name not in {"project", "sweep", "tags"}]
    return {
        **{name: getattr(run, name) for name in fields},
        "project": run.project.slug,
        "sweep": run.sweep_id,
        "tags": tags_of([run.pk]).get(run.pk, []),
    }
