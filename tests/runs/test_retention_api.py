"""Deleting over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.models import ApiToken, Ledger, Run, Status
from tests.runs.builders import build_finished_run, build_run, build_running_run, build_sweep, build_user

pytestmark = pytest.mark.django_db


class Api:
    """A script that sends a token."""

    def __init__(self, user: User) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {ApiToken.issue(user.pk, 'test')}"})

    def __call__(self, method: str, path: str, status: int = 200) -> Any:
        answer = self.client.generic(method, f"/api{path}")
        assert answer.status_code == status, answer.content
        return json.loads(answer.content) if answer.content else None


@pytest.fixture
def owner() -> User:
    return build_user("submit_sweep", "stop_run")


@pytest.fixture
def script(owner: User) -> Api:
    return Api(owner)


@pytest.fixture
def run(owner: User) -> Run:
    sweep = build_sweep()
    sweep.created_by = owner
    sweep.save()
    return build_finished_run(sweep)


def test_a_run_is_deleted_listed_restored_and_purged(script: Api, run: Run) -> None:
    Ledger.objects.create(run=run, stored_bytes=1234)
    script("POST", f"/runs/{run.pk}/delete", 204)
    assert script("GET", "/runs") == {"runs": [], "next": None}
    assert script("GET", f"/sweeps/{run.sweep_id}")["runs"] == []
    gone = script("GET", f"/runs/{run.pk}", 404)
    assert gone["detail"] == f"run {run.pk} is in the trash; POST /api/runs/{run.pk}/restore brings it back"
    (deleted,) = script("GET", f"/trash?project={run.project.slug}")
    assert (deleted["id"], deleted["size"], deleted["being_purged"]) == (run.pk, 1234, False)

    assert script("POST", f"/runs/{run.pk}/restore")["id"] == run.pk
    assert script("GET", "/trash") == []
    script("POST", f"/runs/{run.pk}/restore", 404)
    script("POST", f"/runs/{run.pk}/purge", 404)  # not before it is deleted

    script("POST", f"/runs/{run.pk}/delete", 204)
    assert script("POST", f"/runs/{run.pk}/purge") == {"runs": 1, "bytes": 0, "left": 0}
    script("POST", f"/runs/{run.pk}/delete", 404)


def test_a_run_that_trains_is_stopped_first(script: Api, run: Run) -> None:
    running = build_running_run(run.sweep)
    refused = script("POST", f"/runs/{running.pk}/delete", 409)
    assert refused["detail"] == f"run {running.pk} waits or trains; stop it first, or add ?stop=true"
    script("POST", f"/runs/{running.pk}/delete?stop=true", 204)
    assert "still being stopped" in script("POST", f"/runs/{running.pk}/purge", 409)["detail"]


def test_stopping_to_delete_needs_the_right_to_stop(run: Run) -> None:
    waiting = build_run(run.sweep)
    script = Api(build_user("delete_run"))
    assert "runs.stop_run" in script("POST", f"/runs/{waiting.pk}/delete?stop=true", 403)["detail"]
    waiting.refresh_from_db()
    assert waiting.status == Status.QUEUED


@pytest.mark.parametrize(
    "path",
    [
        "/runs/{kept}/delete",
        "/runs/{deleted}/restore",
        "/runs/{deleted}/purge",
        "/sweeps/{sweep}/delete",
    ],
)
def test_another_persons_runs_need_the_right(path: str) -> None:
    kept = build_finished_run()
    deleted = build_finished_run(kept.sweep, deleted_at=timezone.now())
    address = path.format(kept=kept.pk, deleted=deleted.pk, sweep=kept.sweep_id)
    refused = Api(build_user("submit_sweep"))("POST", address, 403)
    assert "runs.delete_run" in refused["detail"]
    assert (Run.objects.kept().get(), Run.objects.in_trash().get()) == (kept, deleted)
    Api(build_user("delete_run")).client.post(f"/api{address}")
    assert [*Run.objects.kept(), *Run.objects.in_trash()] != [kept, deleted]


def test_a_sweep_is_deleted_but_for_what_trains(script: Api, run: Run) -> None:
    build_running_run(run.sweep)
    assert script("POST", f"/sweeps/{run.sweep_id}/delete") == {"deleted": 1, "left": 1}
    assert list(Run.objects.in_trash()) == [run]
