"""The doctor: each part that is broken is named, with what mends it, and what is well is let alone."""

from __future__ import annotations

import shutil
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from nnlab import versions
from nnlab.engine.errors import EngineError
from runs import queue, workers
from runs.management.commands import doctor
from runs.management.commands.doctor import State, examination
from runs.models import Queue, Worker
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers and a worker that was heard a moment ago, on a host with room."""
    monkeypatch.setattr(queue, "waiting_messages", lambda _: 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50 * 2**30))
    workers.record_release()
    build_worker()


def build_worker(**fields: Any) -> Worker:
    given = {"queues": ["cpu"], "concurrency": 2, "cores": 4, "versions": workers.code(), **fields}
    return Worker.objects.create(host="a", pid=1, **given)


def found(part: str) -> tuple[State, str]:
    return {finding.part: (finding.state, finding.words) for finding in examination()}[part]


def test_nothing_is_broken_where_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("doctor")
    text = capsys.readouterr().out
    assert "Nothing is broken." in text
    assert "BROKEN" not in text
    assert found("queue cpu") == (State.WELL, "2 process(es) take its runs, 0 wait")


def test_what_is_broken_is_named_and_the_command_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "waiting_messages", lambda _: None)
    with pytest.raises(CommandError, match=r"1 part\(s\) of this installation are broken"):
        call_command("doctor")
    assert "BROKEN  broker      does not answer" in capsys.readouterr().out


def test_a_database_that_is_away_is_all_that_is_said_of_it() -> None:
    def refused(*_: Any) -> Any:
        raise OperationalError("the connection was refused")

    with connection.execute_wrapper(refused):
        state, words = found("database")
        parts = {finding.part for finding in examination()}
    assert state == State.BROKEN
    assert "does not answer" in words
    assert not parts & {"queue cpu", "scheduler", "clocks"}


def test_runs_that_nobody_takes_are_a_fault() -> None:
    Worker.objects.all().delete()
    assert found("queue cpu")[0] == State.BROKEN
    assert found("queue gpu") == (State.WELL, "0 process(es) take its runs, 0 wait")
    builders.build_run(queue=Queue.GPU)
    state, words = found("queue gpu")
    assert state == State.BROKEN
    assert "1 wait; start a worker for it" in words


def test_a_worker_of_other_code_and_a_silent_one_are_told() -> None:
    Worker.objects.all().delete()
    build_worker(versions={**workers.code(), "engine": "of-long-ago"})
    build_worker(seen_at=timezone.now() - timedelta(seconds=40))
    assert "its engine is of-long-ago" in found("worker")[1]
    assert found("workers") == (State.DOUBTFUL, "1 are silent; after a minute they count as gone")


def test_lapsed_leases_point_at_the_scheduler() -> None:
    builders.build_running_run(lease_until=timezone.now() - timedelta(minutes=1))
    state, words = found("scheduler")
    assert state == State.BROKEN
    assert "is `nnlab scheduler` running?" in words


def test_clocks_that_disagree_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("clocks")[0] == State.WELL
    monkeypatch.setattr(doctor, "CLOCKS_APART", -1.0)
    assert found("clocks")[0] == State.DOUBTFUL


def test_an_engine_that_is_asked_for_and_not_here_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise EngineError("expected the cupy tier, which is not here")

    monkeypatch.setattr(versions, "engine", missing)
    assert found("engine") == (State.BROKEN, "expected the cupy tier, which is not here")


@pytest.mark.parametrize(
    ("free", "state"), [(2**20, State.BROKEN), (2**29, State.DOUBTFUL), (2**34, State.WELL)]
)
def test_a_full_disk_is_told_before_it_is_full(
    monkeypatch: pytest.MonkeyPatch, free: int, state: State
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert found("disk")[0] == state


def test_no_password_is_printed(settings: LazySettings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SECRET_KEY = settings.ADMIN_PASSWORD = "a-secret-of-the-tests"
    call_command("doctor")
    assert "a-secret-of-the-tests" not in capsys.readouterr().out
