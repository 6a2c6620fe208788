"""The history of attempts: whatever ends a run's attempt ends its row, in the same transaction and words."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from nnlab import versions
from nnlab.versions import Machine
from runs import attempts, lifecycle, queue, tasks, workers
from runs.models import Attempt, Outcome, Run, Status, Worker
from runs.outside import ending
from runs.training import attempt
from tests.runs.builders import build_run, build_sweep
from tests.runs.outside import Program, build_outside_run, silence

pytestmark = pytest.mark.django_db

WORKER = "host-1:42"
OTHER = uuid.UUID(int=8)


def claimed(run: Run | None = None, worker: str = WORKER) -> tuple[int, uuid.UUID]:
    run = run or build_run()
    token = lifecycle.claim(run.pk, worker)
    assert token is not None
    return run.pk, token


def history(run_id: int) -> list[tuple[int, str, str]]:
    return list(Attempt.objects.filter(run=run_id).values_list("number", "outcome", "reason"))


def lapse(run_id: int) -> None:
    Run.objects.filter(pk=run_id).update(lease_until=timezone.now() - timedelta(seconds=1))


def lose_silent(run_id: int) -> None:
    lapse(run_id)
    lifecycle.mark_lost()


def test_a_claim_begins_an_attempt_of_its_process_with_the_versions_that_take_part() -> None:
    run_id, _ = claimed()
    attempt = Attempt.objects.get(run=run_id)
    assert (attempt.number, attempt.process, attempt.host, attempt.outcome) == (1, WORKER, "host-1", "")
    assert attempt.versions == {**versions.numbers(), "schema": workers.code()["schema"]}
    assert attempt.worker is None
    assert (attempt.ended_at, attempt.last_step) == (None, 0)


def test_an_attempt_is_of_the_worker_whose_process_took_the_run() -> None:
    host = socket.gethostname()
    stopped, other, own = (
        workers.enlist(workers.Enlistment(["cpu"], 2, Machine("", "numpy", ""), host, pid))
        for pid in (os.getppid(), os.getppid() + 100_000, os.getppid())
    )
    run_id, _ = claimed(worker=f"{host}:{os.getpid()}")
    assert Attempt.objects.get(run=run_id).worker_id == own
    assert Worker.objects.get(pk=stopped).ending == "gone"
    assert not Attempt.objects.filter(worker=other).exists()


ENDINGS: dict[str, tuple[Callable[[int, uuid.UUID], object], Outcome, str, str]] = {
    "finish": (
        lambda pk, token: lifecycle.finish(pk, token, "early stop"),
        Outcome.FINISHED,
        "early stop",
        "",
    ),
    "fail": (
        lambda pk, token: lifecycle.fail(pk, token, "diverged", "Diverged."),
        *(Outcome.FAILED, "diverged", "Diverged."),
    ),
    "stop": (lifecycle.stop, Outcome.CANCELLED, "cancelled", ""),
    "surrender": (
        lambda pk, token: lifecycle.surrender({pk: token}, "error", "ValueError: no"),
        *(Outcome.GIVEN_BACK, "error", "ValueError: no"),
    ),
    "mark_lost": (lambda pk, _: lose_silent(pk), Outcome.LOST, "silent", ""),
    "release": (lambda pk, _: lifecycle.release("host-1", orderly=True), Outcome.GIVEN_BACK, "stopped", ""),
    "crash": (lambda pk, _: lifecycle.release("host-1", orderly=False), Outcome.LOST, "crashed", ""),
}


@pytest.mark.parametrize("name", list(ENDINGS))
def test_what_takes_a_run_from_its_worker_ends_the_attempt_and_says_how(name: str) -> None:
    end, outcome, reason, error = ENDINGS[name]
    run_id, token = claimed()
    Run.objects.filter(pk=run_id).update(steps_run=310)
    end(run_id, token)
    attempt = Attempt.objects.get(run=run_id)
    assert (attempt.outcome, attempt.reason, attempt.error) == (outcome, reason, error)
    assert attempt.ended_at is not None
    assert attempt.last_step == 310


@pytest.mark.parametrize("name", ["finish", "fail", "stop", "surrender"])
def test_a_stale_worker_changes_neither_the_run_nor_its_history(name: str) -> None:
    run_id, _ = claimed()
    lose_silent(run_id)
    lifecycle.settle_lost()
    claimed(Run.objects.get(pk=run_id), "host-2:7")
    before = list(Attempt.objects.filter(run=run_id).values())
    ENDINGS[name][0](run_id, OTHER)
    assert list(Attempt.objects.filter(run=run_id).values()) == before
    assert history(run_id) == [(1, "lost", "silent"), (2, "", "")]


def test_a_history_that_cannot_be_written_leaves_the_run_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, token = claimed()

    def refuse(*_: object, **__: object) -> None:
        raise IntegrityError

    monkeypatch.setattr(attempts, "end", refuse)
    with pytest.raises(IntegrityError):
        lifecycle.finish(run_id, token)
    assert Run.objects.get(pk=run_id).status == Status.RUNNING


def test_attempts_are_numbered_on_when_a_run_is_queued_again_by_hand() -> None:
    run_id, token = claimed()
    lifecycle.fail(run_id, token, "error", "no")
    assert lifecycle.requeue(run_id)
    _, token = claimed(Run.objects.get(pk=run_id))
    assert Run.objects.get(pk=run_id).attempt == 1
    lifecycle.finish(run_id, token)
    assert history(run_id) == [(1, "failed", "error"), (2, "finished", "end")]


def test_waiting_runs_have_no_attempt_to_end() -> None:
    run = build_run()
    lifecycle.cancel(run.pk)
    assert history(run.pk) == []


@pytest.mark.parametrize("members", [2, 128])
def test_a_population_is_claimed_with_its_history_in_a_handful_of_queries(members: int) -> None:
    sweep = build_sweep()
    run = build_run(sweep)
    columns = model_to_dict(run, exclude=["id", "project", "sweep", "parent"])
    own = {**columns, "project": run.project, "sweep": sweep}
    Run.objects.bulk_create(Run(**own) for _ in range(members - 1))
    again = build_run(sweep)
    _, token = claimed(again)
    lifecycle.surrender({again.pk: token})
    with CaptureQueriesContext(connection) as queries:
        tokens = lifecycle.claim_first(Run.objects.awaiting_worker(), members + 1, WORKER)
    assert len(tokens) == members + 1
    assert len(queries) <= 9  # the rows go in hundreds
    numbers = dict(Attempt.objects.filter(ended_at=None).values_list("run", "number"))
    assert numbers == {run_id: 2 if run_id == again.pk else 1 for run_id in tokens}


def test_a_worker_adds_the_tier_that_the_run_itself_asks_for() -> None:
    run_id, _ = claimed()
    attempts.describe(run_id, after=40, tier="numpy", isa="")
    attempt = Attempt.objects.get(run=run_id)
    assert (attempt.tier, attempt.began_after, attempt.device) == ("numpy", 40, versions.device("numpy"))
    lose_silent(run_id)
    assert Attempt.objects.get(run=run_id).last_step == 40  # nothing was written after the checkpoint


def test_a_trained_run_has_an_attempt_that_says_with_what() -> None:
    asked = {"hidden_units": (4,), "steps": 5, "dtype": "float64"}
    run = build_run(data={"dataset": "iris"}, training=asked)
    tasks.train_next("cpu")
    (attempt,) = Attempt.objects.filter(run=run)
    assert (attempt.outcome, attempt.reason, attempt.last_step) == ("finished", "end", 5)
    assert (attempt.tier, attempt.device) == ("numpy", versions.device("numpy"))
    assert attempt.process == f"{socket.gethostname()}:{os.getpid()}"


def test_what_broke_a_population_is_told_by_the_attempts_of_its_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(attempt, "train_claimed", crash)
    sweep = build_sweep()
    for _ in range(2):
        build_run(sweep)
    with pytest.raises(RuntimeError):
        tasks.train_next("cpu")
    told = set(Attempt.objects.values_list("outcome", "reason", "error"))
    assert told == {("given back", "error", "RuntimeError: no")}


def test_a_program_outside_makes_attempts_too() -> None:
    run = Program().begin()
    assert history(run.pk) == [(1, "", "")]
    Run.objects.filter(pk=run.pk).update(steps_run=70)
    ending.end(run.pk, Status.FAILED, "no")
    ending.resume(run.pk)
    assert Attempt.objects.get(run=run.pk, number=2).began_after == Run.objects.get(pk=run.pk).steps_run
    ending.resume(run.pk, 30)
    assert Attempt.objects.get(run=run.pk, number=3).began_after == 30
    ending.end(run.pk, Status.FINISHED)
    assert history(run.pk) == [(1, "failed", "error"), (2, "lost", "resumed"), (3, "finished", "end")]
    assert set(Attempt.objects.values_list("process", "tier")) == {("", "")}


@pytest.mark.parametrize("is_last", [True, False], ids=["its end", "more"])
def test_a_program_that_was_only_silent_goes_on_with_its_attempt(is_last: bool) -> None:
    run = Program().begin()
    silence(run)
    queue.reconcile()
    assert history(run.pk) == [(1, "lost", "silent")]
    if is_last:
        ending.end(run.pk, Status.FINISHED)
        assert history(run.pk) == [(1, "finished", "end")]
    else:
        lifecycle.hear(run.pk)
        assert history(run.pk) == [(1, "", "")]


@pytest.mark.parametrize(
    "end", [lifecycle.hear, lambda pk: lifecycle.end_outside(pk, Status.FINISHED, "end")]
)
def test_a_run_of_an_earlier_version_gets_no_history_that_nobody_kept(end: Callable[[int], Any]) -> None:
    run = build_outside_run(Status.LOST)
    assert end(run.pk)
    assert history(run.pk) == []


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("attempt_has_outcome_iff_ended", {"number": 2, "outcome": "lost"}),
    ("attempt_has_outcome_iff_ended", {"number": 2, "ended_at": timezone.now()}),
    ("runs_attempt.run_id", {"number": 2}),
    ("runs_attempt.number", {"number": 1, "outcome": "lost", "ended_at": timezone.now()}),
]


@pytest.mark.parametrize(("words", "columns"), REFUSED)
def test_the_database_refuses_what_must_not_be(words: str, columns: dict[str, Any]) -> None:
    run_id, _ = claimed()
    with pytest.raises(IntegrityError, match=words), transaction.atomic():
        Attempt.objects.create(run_id=run_id, **columns)
