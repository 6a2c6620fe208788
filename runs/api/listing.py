"""Operations that list runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from runs.api.answers import run_answer
from runs.api.schemas import Key, RunOut, Word
from runs.models import Run

MAX_RUNS = 200

router = Router()


@router.get("/runs", response=list[RunOut], summary="Runs, newest first")
def list_runs(
    request: HttpRequest,
    project: Word = "",
    status: Word = "",
    sweep: Key | None = None,
    before: Key | None = None,
) -> list[dict[str, Any]]:
    """Give at most 200 runs; ``before`` is the smallest id of the page before."""
    runs = Run.objects.kept().select_related("project").order_by("-pk")
    wanted = {"project__slug": project, "status": status, "sweep_id": sweep, "pk__lt": before}
    given = {key: value for key, value in wanted.items() if value not in {"", None}}
    return [run_answer(run) for run in runs.filter(**given)[:MAX_RUNS]]
