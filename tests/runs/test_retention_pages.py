"""Deleting on the pages: who may, what the trash says, and what a deleted run's page offers."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs import retention
from runs.models import Ledger, Project, Run, Status
from runs.pages import trash as trash_page
from tests.runs.builders import (
    build_finished_run,
    build_project,
    build_run,
    build_running_run,
    build_sweep,
    build_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return build_user("submit_sweep", "stop_run")


@pytest.fixture
def reader(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def build_own_run(owner: User, *, deleted: bool = False) -> Run:
    sweep = build_sweep()
    sweep.created_by = owner
    sweep.save()
    return build_finished_run(sweep, deleted_at=timezone.now() if deleted else None)


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == HTTPStatus.OK
    return " ".join(answer.content.decode().split())


def after(client: Client, address: str, **data: object) -> str:
    answer = client.post(address, data, follow=True)
    assert answer.status_code == HTTPStatus.OK
    return " ".join(answer.content.decode().split())


def test_an_own_run_is_deleted_restored_and_purged_on_its_page(reader: Client, owner: User) -> None:
    run = build_own_run(owner)
    page = reverse("run", args=[run.pk])
    assert "Delete</button>" in text_of(reader, page)
    text = after(reader, reverse("run-delete", args=[run.pk]))
    assert "This run is in the trash" in text
    assert '1 run is in <a href="/trash/">the trash</a> now.' in text

    text = after(reader, reverse("run-restore", args=[run.pk]))
    assert "1 run restored." in text
    assert "Parameters" in text

    after(reader, reverse("run-delete", args=[run.pk]))
    text = after(reader, reverse("run-purge", args=[run.pk]))
    assert "0 B in 1 run freed." in text
    assert reader.get(page).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("action", ["run-delete", "run-restore", "run-purge"])
def test_another_persons_run_needs_the_right(client: Client, action: str) -> None:
    run = build_finished_run(deleted_at=None if action == "run-delete" else timezone.now())
    client.force_login(build_user("submit_sweep"))
    answer = client.post(reverse(action, args=[run.pk]))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "runs.delete_run" in answer.content.decode()
    client.force_login(build_user("delete_run"))
    client.post(reverse(action, args=[run.pk]))
    found = Run.objects.filter(pk=run.pk).first()
    assert (found is None) is (action == "run-purge")
    assert found is None or (found.deleted_at is not None) is (action == "run-delete")


def test_a_run_that_waits_has_a_button_that_stops_it_too(reader: Client, owner: User) -> None:
    run = build_own_run(owner)
    waiting = build_run(run.sweep)
    page = text_of(reader, reverse("run", args=[waiting.pk]))
    assert "Stop and delete" in page
    text = after(reader, reverse("run-delete", args=[waiting.pk]))
    assert "1 run not deleted: it waits or trains. Stop first, then delete." in text
    after(reader, reverse("run-delete", args=[waiting.pk]), stop="")
    assert Run.objects.in_trash().get().status == Status.CANCELLED


def test_stopping_a_run_to_delete_it_needs_the_right_to_stop(client: Client) -> None:
    owner = build_user("submit_sweep")
    run = build_own_run(owner)
    running = build_running_run(run.sweep)
    client.force_login(owner)
    client.post(reverse("run-delete", args=[running.pk]), {"stop": ""})
    assert set(Run.objects.kept()) == {run, running}


def test_ticked_runs_are_deleted_as_far_as_one_may(reader: Client, owner: User) -> None:
    run = build_own_run(owner)
    foreign = build_finished_run(project=run.project)
    elsewhere = build_own_run(owner)
    address = reverse("runs-selected", args=[run.project.slug])
    text = after(reader, address, action="delete", runs=[run.pk, foreign.pk, elsewhere.pk])
    assert "1 run is in" in text
    assert "1 run left as before: other people&#x27;s need the right runs.delete_run." in text
    assert list(Run.objects.in_trash()) == [run]
    assert run.name not in text


def test_a_whole_sweep_is_deleted_at_once(reader: Client, owner: User) -> None:
    run = build_own_run(owner)
    other = build_finished_run(run.sweep)
    sweeps = reverse("project-sweeps", args=[run.project.slug])
    assert f"Delete {run.sweep.name}" in text_of(reader, sweeps)
    text = after(reader, reverse("sweep-delete", args=[run.sweep_id]))
    assert "2 runs are in" in text
    assert "No sweep in this project yet" in text
    assert set(Run.objects.in_trash()) == {run, other}


def test_the_trash_shows_what_it_holds_and_how_large_it_is(reader: Client, owner: User) -> None:
    run = build_own_run(owner, deleted=True)
    Ledger.objects.create(run=run, stored_bytes=1_234_000)
    foreign = build_finished_run(deleted_at=timezone.now())
    kept = build_finished_run()
    text = text_of(reader, reverse("trash"))
    assert "2 runs, 1.2 MB" in text
    assert "for 30 days; then they are purged" in text
    assert kept.name not in text
    assert f'aria-label="Select {run.name}"' in text
    assert foreign.name in text
    assert f'aria-label="Select {foreign.name}"' not in text  # it is somebody else's
    only = text_of(reader, f"{reverse('trash')}?project={foreign.project.slug}")
    assert "1 run, 0 B" in only
    assert run.name not in only


def test_an_empty_trash_says_what_it_is_for(reader: Client, settings: LazySettings) -> None:
    settings.TRASH_DAYS = 0
    text = text_of(reader, reverse("trash"))
    assert "The trash is empty" in text
    assert "purged by themselves" not in text


def test_runs_of_the_trash_are_restored_and_purged(reader: Client, owner: User) -> None:
    first, second, third = (build_own_run(owner, deleted=True) for _ in range(3))
    address = reverse("trash-selected")
    assert "Tick one run or more first." in after(reader, address, action="purge")
    assert "1 run restored." in after(reader, address, action="restore", runs=[first.pk])
    assert "0 B in 1 run freed." in after(reader, address, action="purge", runs=[second.pk])
    assert set(Run.objects.all()) == {first, third}
    foreign = build_finished_run(deleted_at=timezone.now())
    assert "0 B in 1 run freed." in after(reader, address, action="empty")
    assert set(Run.objects.all()) == {first, foreign}


def test_a_long_purge_goes_on_without_the_page(
    reader: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [build_own_run(owner, deleted=True) for _ in range(3)]
    monkeypatch.setattr(trash_page, "PURGE_SECONDS", 0)
    text = after(reader, reverse("trash-selected"), action="empty")
    assert "0 B in 1 run freed. 2 runs still being purged; that goes on by itself." in text
    assert "being purged</span>" in text
    assert "No run was restored" in after(reader, reverse("run-restore", args=[runs[2].pk]))
    assert "This run is being purged" in text_of(reader, reverse("run", args=[runs[2].pk]))


def test_a_deleted_run_is_no_template_for_another(reader: Client, owner: User) -> None:
    run = build_own_run(owner, deleted=True)
    assert reader.post(reverse("run-clone", args=[run.pk])).status_code == HTTPStatus.NOT_FOUND
    assert f"no run {run.pk} to copy" in text_of(reader, f"{reverse('sweep-new')}?from={run.pk}")


def test_a_project_without_runs_can_be_deleted_with_the_right(client: Client) -> None:
    project = build_project(slug="old")
    run = build_finished_run(project=project, deleted_at=timezone.now())
    address = reverse("project-delete", args=["old"])
    client.force_login(build_user("submit_sweep", "delete_run"))
    assert client.post(address).status_code == HTTPStatus.FORBIDDEN
    client.force_login(build_user("delete_project"))
    assert "Delete the project" in text_of(client, reverse("project", args=["old"]))
    assert "still has runs" in after(client, address)
    retention.begin_purge(Run.objects.filter(pk=run.pk))
    retention.purge(60)
    assert "is deleted; its name and address are free again" in after(client, address)
    assert not Project.objects.exists()


def test_the_points_of_a_deleted_run_are_not_told(reader: Client, owner: User) -> None:
    run = build_own_run(owner, deleted=True)
    for name in ("run-live", "run-points"):
        assert reader.get(reverse(name, args=[run.pk])).status_code == HTTPStatus.NOT_FOUND
