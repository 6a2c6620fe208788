"""Builders of runs that a program outside trains."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import numpy as np
from django.test import Client
from django.utils import timezone

from nnlab.series.batch import Key, encode_batch
from runs import lifecycle
from runs.models import ApiToken, Run, Series, Source, Status, Sweep
from runs.reading.series import read_series
from tests.runs.builders import build_sweep, build_user


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


class Program:
    """A program that trains elsewhere: it speaks to the API with a token."""

    def __init__(self, *rights: str) -> None:
        self.user = build_user(*(rights or ("submit_sweep",)))
        token = ApiToken.issue(self.user.pk, "program")
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def post(self, path: str, body: object = None, status: int = 200, *, packing: str = "") -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Encoding": packing} if packing else None
        kind = "application/json"
        answer = self.client.post(f"/api/runs{path}", content, content_type=kind, headers=headers)
        assert answer.status_code == status, answer.content
        return json.loads(answer.content)

    def begin(self, **more: Any) -> Run:
        return Run.objects.get(pk=self.post("", {"project": "Vision", "name": "mine", **more}, 201)["id"])


def item(key: str = "loss", value: Any = 0.5, step: Any = 1, **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "step": step, **more}


def batch_of(**series: list[float]) -> bytes:
    """A binary batch; steps count from 1."""
    return encode_batch(
        {
            (name, None): (np.arange(1, len(values) + 1), np.array(values, np.float64))
            for name, values in series.items()
        }
    )


def logged(run: Run) -> dict[Key, list[tuple[int, float]]]:
    """All points of a run, in the order of its steps."""
    metrics = Series.objects.filter(run=run).values_list("metric", flat=True)
    return {
        (series.metric, series.layer): list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
        for series in read_series([run.pk], set(metrics))
        if len(series.steps)
    }
