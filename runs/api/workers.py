"""Operations on workers and attempts: who trains, and who has tried what."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from runs.api.answers import found
from runs.api.schemas import Key
from runs.models import Attempt
from runs.reading.workers import Muster, Standing, muster

router = Router()


class ReleaseOut(Schema):
    """The code that this installation runs; workers with another engine or schema take no runs."""

    versions: dict[str, str]
    recorded_at: datetime


class WorkerOut(Schema):
    """A worker; ``state`` is well, other code, silent, stopped or gone."""

    host: str
    pid: int
    state: str
    why_idle: str
    queues: list[str]
    concurrency: int
    runs: list[int]
    run_count: int
    device: str
    tier: str
    isa: str
    versions: dict[str, str]
    cores: int
    load: float | None
    memory_bytes: int | None
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None


class WorkersOut(Schema):
    """Workers that are there, then those that left within a day; ``present`` counts the former."""

    workers: list[WorkerOut]
    present: int
    release: ReleaseOut | None


class AttemptOut(Schema):
    """A try at a run; ``outcome`` is empty while it goes on, ``process`` for a program outside.

    ``note`` says why it did not go on from a checkpoint, or why none is kept.
    """

    number: int
    process: str
    device: str
    tier: str
    isa: str
    versions: dict[str, str]
    began_after: int
    note: str
    last_step: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    reason: str
    error: str


@router.get("/workers", response=WorkersOut, summary="Who trains")
def list_workers(request: HttpRequest) -> dict[str, object]:
    """Give every worker as it stands, with the first of the runs that it trains."""
    return _answer(muster())


@router.get("/runs/{run_id}/attempts", response=list[AttemptOut], summary="The attempts at a run")
def list_attempts(request: HttpRequest, run_id: Key) -> list[Attempt]:
    """Give each try at a run, the first one first. Those of earlier versions of nnlab were not kept."""
    return list(found(run_id).attempts.order_by("number"))


def _answer(told: Muster) -> dict[str, object]:
    workers = [_worker(standing) for standing in told.standings]
    return {"workers": workers, "present": told.present_count, "release": told.release}


def _worker(standing: Standing) -> dict[str, object]:
    own = [name for name in WorkerOut.model_fields if name not in {"state", "why_idle", "runs", "run_count"}]
    return {
        **{name: getattr(standing.worker, name) for name in own},
        "state": standing.state.value,
        "why_idle": standing.why_idle,
        "runs": [run.pk for run in standing.runs],
        "run_count": standing.run_count,
    }
