"""The trash in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from runs.models import Project, Run
from tests.runs.builders import (
    build_alert,
    build_finished_run,
    build_project,
    build_run,
    build_sweep,
    build_user,
)

pytestmark = pytest.mark.django_db

RUNS = "/admin/runs/run/"
SWEEPS = "/admin/runs/sweep/"
PROJECTS = "/admin/runs/project/"
ACTIONS = {"discard", "restore", "purge"}


@pytest.fixture
def keeper() -> Client:
    client = Client()
    rights = (
        "view_run",
        "view_sweep",
        "view_alert",
        "view_project",
        "delete_project",
        "delete_run",
        "delete_sweep",
    )
    client.force_login(build_user(*rights, staff=True))
    return client


def act(client: Client, page: str, action: str, *rows: Any) -> list[str]:
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    answer = client.post(page, data, follow=True)
    return [str(message) for message in answer.context["messages"]]


def offered(client: Client, page: str) -> set[str]:
    form = client.get(page).context["action_form"]
    return {name for name, _ in form.fields["action"].choices if name} if form else set()


def listed(client: Client, page: str) -> list[Any]:
    return list(client.get(page).context["cl"].result_list)


def test_runs_are_deleted_restored_and_purged(keeper: Client) -> None:
    run, waiting = build_finished_run(), build_run()
    assert act(keeper, RUNS, "discard", run, waiting) == [
        "1 run moved to the trash.",
        "1 run left: still waiting or training; stop first.",
    ]
    assert listed(keeper, RUNS) == [waiting]
    assert listed(keeper, f"{RUNS}?trash=yes") == [run]
    assert act(keeper, f"{RUNS}?trash=yes", "restore", run) == ["1 run restored."]
    act(keeper, RUNS, "discard", run)
    assert act(keeper, f"{RUNS}?trash=yes", "purge", run) == ["0 B in 1 run freed, of 1 run given up."]
    assert list(Run.objects.all()) == [waiting]


def test_a_sweep_is_deleted_with_its_runs(keeper: Client) -> None:
    sweep = build_sweep()
    runs = {build_finished_run(sweep), build_finished_run(sweep)}
    kept = build_finished_run()
    assert act(keeper, SWEEPS, "discard", sweep) == ["2 runs moved to the trash."]
    assert (set(Run.objects.in_trash()), Run.objects.kept().get()) == (runs, kept)
    assert "none" in keeper.get(SWEEPS).content.decode()  # its runs, in the list


def test_the_actions_need_the_right() -> None:
    client = Client()
    client.force_login(build_user("view_run", "view_sweep", "submit_sweep", "stop_run", staff=True))
    build_finished_run()
    build_finished_run(deleted_at=timezone.now())
    for page in (RUNS, f"{RUNS}?trash=yes", SWEEPS):
        assert not offered(client, page) & ACTIONS


def test_django_itself_deletes_no_run_and_no_sweep(keeper: Client) -> None:
    run = build_finished_run()
    build_alert(run)
    for page in (RUNS, SWEEPS, PROJECTS):
        assert "delete_selected" not in offered(keeper, page)
    for address in (f"{RUNS}{run.pk}", f"{SWEEPS}{run.sweep_id}", f"{PROJECTS}{run.project_id}"):
        assert keeper.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert Run.objects.get() == run


def test_a_project_without_runs_can_be_deleted(keeper: Client) -> None:
    project = build_project()
    keeper.post(f"{PROJECTS}{project.pk}/delete/", {"post": "yes"})
    assert not Project.objects.exists()


def test_alerts_of_deleted_runs_are_not_listed(keeper: Client) -> None:
    alert = build_alert(build_finished_run())
    build_alert(build_finished_run(deleted_at=timezone.now()))
    assert listed(keeper, "/admin/runs/alert/") == [alert]
