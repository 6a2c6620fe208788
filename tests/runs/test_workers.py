"""The rows of workers: who is there, who is silent, and whose code fits this installation."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from nnlab import processes
from nnlab.versions import Machine
from runs import lifecycle, queue, serving, tasks, workers
from runs.models import Attempt, Release, Run, Status, Worker
from tests.runs.builders import build_run

pytestmark = pytest.mark.django_db

MACHINE = Machine("AMD EPYC", "native", "x86-64-v3")


def build_worker(
    pid: int = 7, *, silent: float = 0.0, host: str = "host-1", concurrency: int = 2, **columns: Any
) -> Worker:
    """Make a worker that was heard some seconds ago."""
    queues = columns.pop("queues", ["cpu"])
    key = workers.enlist(workers.Enlistment(queues, concurrency, MACHINE, host, pid))
    Worker.objects.filter(pk=key).update(seen_at=Now() - timedelta(seconds=silent), **columns)
    return Worker.objects.get(pk=key)


def ending(worker: Worker) -> str:
    return Worker.objects.get(pk=worker.pk).ending


def test_a_worker_that_starts_says_what_it_is() -> None:
    worker = build_worker()
    assert (worker.host, worker.pid, worker.queues, worker.concurrency) == ("host-1", 7, ["cpu"], 2)
    assert (worker.device, worker.tier, worker.isa) == ("AMD EPYC", "native", "x86-64-v3")
    assert set(worker.versions) == {"nnlab", "engine", "schema", "python", "numpy"}
    assert worker.cores == os.cpu_count()


def test_a_worker_that_starts_takes_the_place_of_one_with_its_name() -> None:
    """In a container that is restarted, host and process are those of before."""
    before, beside = build_worker(7), build_worker(8)
    again = build_worker(7)
    assert [ending(worker) for worker in (before, beside, again)] == ["gone", "", ""]


def test_a_heartbeat_says_what_the_worker_uses() -> None:
    worker = build_worker(silent=10)
    assert workers.beat(worker.pk, 1.5, 300_000_000)
    again = Worker.objects.with_silence().get(pk=worker.pk)
    assert (again.load, again.memory_bytes) == (1.5, 300_000_000)
    assert again.seen_at > worker.seen_at
    assert 0 <= again.silence < 10


def test_a_heartbeat_of_a_worker_without_a_row_says_so() -> None:
    assert not workers.beat(1_000_000, None, None)


def test_a_silent_worker_is_gone_after_a_minute_and_back_with_its_next_heartbeat() -> None:
    frozen, alive = build_worker(7, silent=61), build_worker(8, silent=30)
    assert workers.mark_gone() == 1
    assert (ending(frozen), ending(alive)) == ("gone", "")
    assert workers.mark_gone() == 0
    assert workers.beat(frozen.pk, None, None)
    assert ending(frozen) == ""


def test_rows_of_workers_that_ended_long_ago_are_removed_and_their_attempts_stay() -> None:
    old, fresh = build_worker(7), build_worker(8)
    run = build_run()
    lifecycle.claim(run.pk, "host-1:9")
    Attempt.objects.update(worker=old)
    for worker in (old, fresh):
        workers.strike(worker.pk)
    Worker.objects.filter(pk=old.pk).update(ended_at=Now() - workers.KEPT - timedelta(seconds=1))
    workers.mark_gone()
    assert list(Worker.objects.all()) == [fresh]
    attempt = Attempt.objects.get()
    assert (attempt.worker, attempt.process) == (None, "host-1:9")


def test_a_stopped_host_has_no_workers_and_others_keep_theirs() -> None:
    ours, theirs = build_worker(host="web-1"), build_worker(host="web-10")
    workers.release("web-1", orderly=True)
    assert (ending(ours), ending(theirs)) == ("stopped", "")


def test_processes_are_counted_that_take_the_queue_were_heard_and_have_the_code() -> None:
    workers.record_release()
    build_worker(1, concurrency=4)
    build_worker(2, concurrency=3, queues=["gpu", "cpu"])
    build_worker(3, concurrency=100, queues=["gpu"])
    build_worker(4, concurrency=100, silent=21)
    build_worker(5, concurrency=100, versions={**workers.code(), "engine": "0" * 12})
    workers.strike(build_worker(6, concurrency=100).pk)
    assert workers.processes("cpu") == queue.live_workers() == 7


def test_where_no_worker_was_heard_there_is_the_one_that_asks() -> None:
    assert queue.live_workers() == 1


def test_an_installation_that_is_prepared_twice_is_recorded_once() -> None:
    first = workers.record_release()
    assert workers.record_release() == first
    newer = Release.objects.create(nnlab="9", engine="0" * 12, schema="9999_later")
    assert workers.newest_release() == newer
    assert workers.record_release() not in {first, newer}  # the older code was put back
    assert Release.objects.count() == 3


def test_before_an_installation_is_prepared_every_code_fits() -> None:
    assert workers.why_idle() == ""
    workers.record_release()
    assert workers.why_idle() == ""


@pytest.mark.parametrize("name", ["engine", "schema"])
def test_a_worker_with_another_engine_or_schema_leaves_the_runs_alone_and_says_why(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = workers.record_release()
    setattr(release, name, "another")
    release.pk = None
    release.save()
    run = build_run()
    monkeypatch.setattr(tasks, "IDLE_SECONDS", 0.0)
    sent: list[str] = []
    monkeypatch.setattr(queue, "send", sent.append)
    tasks.train_next("cpu")
    assert sent == ["cpu"]  # another worker may take it
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.attempt) == (Status.QUEUED, 0)
    assert f"its {'engine' if name == 'engine' else 'database schema'} is" in caplog.text
    assert "this installation's is another" in caplog.text


def test_preparing_an_installation_records_its_code() -> None:
    serving.prepare(static=False)
    release = workers.newest_release()
    assert release is not None
    assert release.versions.items() <= workers.code().items()


def test_the_scheduler_takes_the_silent_for_gone_unless_nobody_could_be_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "waiting_messages", lambda: None)
    worker = build_worker(silent=61)
    queue.reconcile(judging=False)
    assert ending(worker) == ""
    queue.reconcile()
    assert ending(worker) == "gone"


@pytest.mark.parametrize(("orderly", "word"), [(True, "stopped"), (False, "gone")])
def test_workers_end_with_their_installation(orderly: bool, word: str) -> None:
    worker, other = build_worker(host=socket.gethostname()), build_worker(host="elsewhere")
    serving.release_runs(orderly=orderly)
    assert (ending(worker), ending(other)) == (word, "")


def test_another_version_of_python_is_no_reason_to_wait() -> None:
    release = workers.record_release()
    assert workers.misfit({**workers.code(), "python": "3.99", "nnlab": "99"}, release) == ""


def test_a_worker_that_is_stopped_gives_its_runs_back_and_no_others() -> None:
    ours, theirs = build_worker(7), build_worker(8)
    runs = [build_run() for _ in range(3)]
    for run, worker in zip(runs, (ours, ours, theirs), strict=True):
        lifecycle.claim(run.pk, "host-1:9")
        Attempt.objects.filter(run=run).update(worker=worker)
    assert lifecycle.give_back(ours.pk) == 2
    states = [(run.status, run.attempt) for run in Run.objects.order_by("pk")]
    assert states == [("queued", 0), ("queued", 0), ("running", 1)]
    outcomes = Attempt.objects.order_by("run_id").values_list("outcome", "reason")
    assert list(outcomes) == [("given back", "stopped")] * 2 + [("", "")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_memory_of_a_process_and_its_children_is_measured() -> None:
    alone = processes.memory_with_children(os.getpid())
    program = "held = bytearray(80_000_000); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        both = processes.memory_with_children(os.getpid())
        child.kill()
    assert alone is not None
    assert both is not None
    assert both - alone > 60_000_000
    assert processes.memory_with_children(2**30) is None
