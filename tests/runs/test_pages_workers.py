"""Workers and attempts as people see them: on the pages, in the admin, over the API, on the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from runs import lifecycle, workers
from runs.models import Attempt, Release, Run, Worker
from runs.reading.workers import SHOWN_RUNS, State, muster, why_waiting
from tests.runs import builders
from tests.runs.outside import Program
from tests.runs.test_workers import build_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user())
    return client


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def trained(worker: Worker, count: int = 1) -> list[Run]:
    runs = [builders.build_run() for _ in range(count)]
    for run in runs:
        lifecycle.claim(run.pk, f"{worker.host}:99")
    Attempt.objects.filter(run__in=runs).update(worker=worker)
    return runs


def states() -> list[State]:
    return [standing.state for standing in muster().standings]


def test_a_worker_stands_as_its_heartbeats_say() -> None:
    workers.record_release()
    build_worker(1)
    build_worker(2, versions={**workers.code(), "engine": "0" * 12})
    build_worker(3, silent=21)
    build_worker(4, silent=61)
    workers.mark_gone()
    workers.strike(build_worker(5).pk)
    assert states() == [State.WELL, State.IDLE, State.SILENT, State.STOPPED, State.GONE]
    assert muster().processes == 2


def test_a_worker_shows_the_first_of_its_runs_and_how_many_there_are() -> None:
    busy, idle = build_worker(1), build_worker(2)
    runs = trained(busy, SHOWN_RUNS + 3)
    over = trained(idle)[0]
    lifecycle.release("host-1", orderly=False)
    Attempt.objects.exclude(run=over).update(ended_at=None, outcome="", reason="")
    first, second = muster().standings
    assert [run.pk for run in first.runs] == [run.pk for run in runs[:SHOWN_RUNS]]
    assert (first.run_count, second.run_count, second.runs) == (SHOWN_RUNS + 3, 0, [])


def test_the_page_names_each_worker_with_a_word_for_its_state(reader: Client) -> None:
    worker = build_worker(41, load=1.5, memory_bytes=300_000_000)
    (run,) = trained(worker)
    build_worker(42, silent=30)
    workers.strike(build_worker(43).pk)
    text = text_of(reader, reverse("workers"))
    assert "2 workers, 2 processes that train" in text
    for words in ("well</span>", "silent</span>", "stopped</span>", "1.5 of ", "300.0 MB", "native engine"):
        assert words in text
    assert f'<a href="{run.get_absolute_url()}">{run.name}</a>' in text
    assert text_of(reader, reverse("workers-now")) in text


def test_without_a_worker_the_page_says_how_to_start_one(reader: Client) -> None:
    text = text_of(reader, reverse("workers"))
    assert "No worker is running" in text
    assert "<code>nnlab up</code>" in text
    assert "--scale worker=4" in text


def test_a_worker_of_other_code_says_why_it_takes_no_runs(reader: Client) -> None:
    build_worker()
    Release.objects.create(nnlab="9.9", engine="fedcba987654", schema=workers.code()["schema"])
    text = text_of(reader, reverse("workers"))
    assert "other code</span>" in text
    assert "this installation&#x27;s is fedcba987654; it takes no runs until it is restarted" in text


def test_the_page_costs_the_same_for_one_worker_and_for_twenty(
    reader: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    build_worker(1)
    for pid in (1, 20):
        for number in range(pid):
            trained(build_worker(pid * 100 + number), 2)
        # Session, user, 2 rights; release, workers there and gone, their runs, their number; badge.
        with django_assert_num_queries(10):
            reader.get(reverse("workers"))


def test_a_queued_run_says_when_no_worker_can_take_it(reader: Client) -> None:
    run = builders.build_run()
    assert "No worker is running, so nothing can start." in text_of(reader, run.get_absolute_url())
    assert "No worker is running, so nothing can start." in text_of(reader, reverse("home"))
    live = reader.get(reverse("run-live", args=[run.pk])).json()
    assert "No worker is running" in live["fragments"]["run-state"]
    build_worker()
    assert why_waiting() == ""
    assert "It starts by itself" in text_of(reader, run.get_absolute_url())
    Release.objects.create(nnlab="9.9", engine="fedcba987654", schema=workers.code()["schema"])
    assert "is of other code (its engine is" in why_waiting()


def test_a_silent_worker_takes_no_run_either() -> None:
    build_worker(silent=21)
    assert why_waiting() != ""


def test_a_runs_page_lists_its_attempts_and_how_each_ended(reader: Client) -> None:
    run = builders.build_run()
    for number in range(3):
        token = lifecycle.claim(run.pk, f"host-{number}:5")
        assert token is not None
        Run.objects.filter(pk=run.pk).update(steps_run=100 * number + 7)
        if number < 2:
            Run.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
            lifecycle.mark_lost()
            lifecycle.settle_lost()
    Attempt.objects.filter(number=2).update(began_after=50)
    Attempt.objects.filter(number=3).update(note="It began anew, for its checkpoint is older.")
    text = text_of(reader, run.get_absolute_url())
    for words in (
        "host-0:5",
        "host-2:5",
        "to 7",
        "from 50 to 107",
        "its worker fell silent",
        "goes on</span>",
        "It began anew, for its checkpoint is older.",
    ):
        assert words in text
    live = reader.get(reverse("run-live", args=[run.pk])).json()
    assert "host-2:5" in live["fragments"]["attempts"]
    assert " ago" not in live["fragments"]["attempts"]  # else it would change with each look


def test_a_program_outside_has_attempts_on_its_page(reader: Client) -> None:
    run = Program().begin()
    assert "a program outside</td>" in text_of(reader, run.get_absolute_url())


def test_the_history_of_an_earlier_version_is_said_to_be_unknown(reader: Client) -> None:
    run = builders.build_finished_run()
    assert "before nnlab kept a history of attempts" in text_of(reader, run.get_absolute_url())
    assert "Attempts</h2>" not in text_of(reader, builders.build_run().get_absolute_url())


def test_the_api_tells_of_workers_and_attempts(reader: Client) -> None:
    release = workers.record_release()
    worker = build_worker(silent=30, load=0.5)
    (run,) = trained(worker)
    told = reader.get("/api/workers").json()
    (found,) = told["workers"]
    assert (told["present"], found["state"], found["runs"], found["load"]) == (1, "silent", [run.pk], 0.5)
    assert (found["host"], found["pid"], found["queues"]) == ("host-1", 7, ["cpu"])
    assert found["versions"] == workers.code()
    assert told["release"]["versions"]["engine"] == release.engine
    (attempt,) = reader.get(f"/api/runs/{run.pk}/attempts").json()
    assert (attempt["number"], attempt["process"], attempt["outcome"]) == (1, "host-1:99", "")
    assert attempt["ended_at"] is None
    assert reader.get("/api/runs/1000000/attempts").status_code == 404


def test_an_installation_without_workers_answers_an_empty_list(reader: Client) -> None:
    assert reader.get("/api/workers").json() == {"workers": [], "present": 0, "release": None}


def test_the_command_line_lists_the_workers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    call_command("workers")
    assert "`nnlab up` starts one" in capsys.readouterr().out
    trained(build_worker(41, memory_bytes=300_000_000), 2)
    Release.objects.create(nnlab="9.9", engine="fedcba987654", schema=workers.code()["schema"])
    call_command("workers")
    told = capsys.readouterr().out
    for words in ("host-1:41", "other code", "2 on cpu", "300.0 MB", "host-1:41: its engine is"):
        assert words in told


@pytest.mark.parametrize("model", ["attempt", "worker"])
def test_the_admin_shows_history_and_changes_none(client: Client, model: str) -> None:
    client.force_login(builders.build_user(f"view_{model}", f"change_{model}", f"delete_{model}", staff=True))
    (run,) = trained(build_worker(41))
    row = Attempt.objects.get(run=run) if model == "attempt" else Worker.objects.get()
    assert "host-1" in text_of(client, reverse(f"admin:runs_{model}_changelist"))
    address = reverse(f"admin:runs_{model}_change", args=[row.pk])
    assert 'type="submit"' not in text_of(client, address).partition("<main")[2].partition("submit-row")[2]
    for action in ("add", "delete"):
        keys = [] if action == "add" else [row.pk]
        assert (
            client.post(reverse(f"admin:runs_{model}_{action}", args=keys), {"post": "yes"}).status_code
            == 403
        )
