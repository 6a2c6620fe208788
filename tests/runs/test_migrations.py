"""Migrations that move data: what earlier versions stored is there afterwards."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from runs.models import Attempt, RunMetric, RunParam

BEFORE, AFTER = ("runs", "0006_run_purge_began_at"), ("runs", "0007_fill_typed_rows")


@pytest.mark.django_db(transaction=True)
def test_runs_of_earlier_versions_get_their_typed_rows() -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes("runs")
    executor.migrate([BEFORE])
    apps = executor.loader.project_state([BEFORE]).apps
    project = apps.get_model("runs", "Project").objects.create(slug="old", name="Old")
    sweep = apps.get_model("runs", "Sweep").objects.create(project=project, name="s", specification={})
    config = {"data": {"dataset": "digits"}, "training": {"learning_rate": 0.1, "hidden_units": [8, 8]}}
    for number in range(3):
        run = apps.get_model("runs", "Run").objects.create(
            project=project, sweep=sweep, name="r", config=config
        )
        for place, layer in enumerate((None, 0)):
            apps.get_model("runs", "Series").objects.create(
                run=run, number=place, metric="loss", layer=layer, points=2, first_step=1, last_step=2,
                last=number, minimum=0, maximum=None,
            )  # fmt: skip
    executor = MigrationExecutor(connection)
    executor.migrate([AFTER])
    executor = MigrationExecutor(connection)
    executor.migrate(newest)
    rows = RunMetric.objects.values_list("name__text", "project__slug", "last", "minimum", "maximum")
    assert set(rows) == {("loss", "old", number, 0, None) for number in range(3)}
    params = set(RunParam.objects.filter(run=run.pk).values_list("name__text", "number", "text"))
    assert params == {
        ("data.dataset", None, "digits"),
        ("training.learning_rate", 0.1, None),
        ("training.hidden_units", None, "8,8"),
    }


@pytest.mark.django_db(transaction=True)
def test_runs_that_are_trained_while_history_begins_get_their_present_attempt() -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes("runs")
    executor.migrate([("runs", "0015_attempts_and_workers")])
    apps = executor.loader.project_state([("runs", "0015_attempts_and_workers")]).apps
    project = apps.get_model("runs", "Project").objects.create(slug="old", name="Old")
    sweep = apps.get_model("runs", "Sweep").objects.create(project=project, name="s", specification={})
    runs, now = apps.get_model("runs", "Run").objects, timezone.now()
    of_sweep: dict[str, Any] = {"project": project, "sweep": sweep, "name": "r", "config": {}}
    held = {"token": uuid4(), "lease_until": now, "started_at": now, "worker": "host-1:42"}
    running = runs.create(**of_sweep, status="running", attempt=2, tier="native", isa="v3", **held)
    waiting = runs.create(**of_sweep, attempt=1)
    MigrationExecutor(connection).migrate(newest)
    (attempt,) = Attempt.objects.all()
    assert (attempt.run_id, attempt.number, attempt.process) == (running.pk, 2, running.worker)
    assert (attempt.tier, attempt.isa, attempt.started_at) == ("native", "v3", running.started_at)
    assert (attempt.outcome, attempt.versions) == ("", {})
    assert not Attempt.objects.filter(run=waiting.pk).exists()
