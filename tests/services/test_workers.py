"""Real workers that are killed, frozen, stopped and of other code: their rows, their attempts, their runs.

Most of it is waiting for leases, so all scenes are played at the same time, each in its own installation.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from tests.services.installation import CHECKOUT, Installation, installation, nnlab
from tests.services.stores import broker, postgresql_server

pytestmark = pytest.mark.services

LOST_WITHIN, AGAIN_WITHIN = 60.0, 90.0  # seconds after a worker fell silent
RUN: dict[str, Any] = {
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"hidden_units": [100, 50, 20], "batch_size": 100, "steps": 30_000},
}
SHORT_RUN = {"data": {"dataset": "iris"}, "training": {"depth": 1, "width": 8, "epochs": 5}}

_STARTING = Lock()


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Installation]:
    """An installation; one starts at a time, which is what costs most."""
    with ExitStack() as stack:
        with _STARTING:
            site = stack.enter_context(installation(folder / "home", **settings))
        yield site


@contextmanager
def two_workers(folder: Path) -> Iterator[Installation]:
    """An installation with two workers."""
    with started(folder) as site, second_worker(site):
        await_that(lambda: len(at_work(site)) == 2, "two workers are at work")
        yield site


@contextmanager
def second_worker(site: Installation) -> Iterator[None]:
    """Another worker, started as the page of workers says."""
    command = [sys.executable, "-m", "celery", "-A", "nnlab.celery", "worker", "--queues", "cpu"]
    command += ["--concurrency", "1", "--hostname", "second@%h", "--without-gossip", "--without-mingle"]
    environment = {**site.environment, "REMAP_SIGTERM": "SIGQUIT"}
    with (site.home / "second.log").open("wb") as log:
        worker = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        if worker.poll() is None:
            worker.terminate()
            worker.wait(20)


def await_that(condition: Callable[[], object], claim: str, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {claim}"
        time.sleep(0.2)


def workers(site: Installation) -> dict[int, dict[str, Any]]:
    """Workers as the API tells them, by their main process; of one number the one that came last."""
    told = site.request("GET", "workers")["workers"]
    return {worker["pid"]: worker for worker in sorted(told, key=lambda worker: str(worker["started_at"]))}


def at_work(site: Installation) -> list[int]:
    return [pid for pid, worker in workers(site).items() if worker["state"] == "well"]


def attempts(site: Installation, run_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.request("GET", f"runs/{run_id}/attempts")
    return found


def training(site: Installation, **run: Any) -> tuple[int, int]:
    """Submit a run; it and the main process of the worker that has begun to train it."""
    (run_id,) = site.submit(**run)
    site.await_run(run_id, lambda found: found["status"] == "running" and found["steps_run"] > 0, 60)
    (holder,) = (pid for pid, worker in workers(site).items() if run_id in worker["runs"])
    return run_id, holder


def tree(site: Installation, main: int) -> list[int]:
    """The processes of a worker."""
    parents = {
        pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        for pid in site.processes("celery")
    }
    return [main, *(pid for pid, parent in parents.items() if parent == main)]


def await_second_attempt(site: Installation, run_id: int, silent_since: float) -> None:
    """Wait for the run to be taken up again, and look how long that took."""
    await_that(lambda: len(attempts(site, run_id)) == 2, "the run is tried again", AGAIN_WITHIN + 10)
    first, second = attempts(site, run_id)
    assert (first["outcome"], first["reason"]) == ("lost", "silent")
    assert datetime.fromisoformat(first["ended_at"]).timestamp() - silent_since < LOST_WITHIN
    assert datetime.fromisoformat(second["started_at"]).timestamp() - silent_since < AGAIN_WITHIN
    assert first["process"] != second["process"]


def play_killed(folder: Path) -> None:
    with two_workers(folder) as site:
        run_id, killed = training(site, **RUN)
        silent_since = time.time()
        for pid in tree(site, killed):
            os.kill(pid, signal.SIGKILL)

        await_second_attempt(site, run_id, silent_since)

        assert site.await_status(run_id, "finished", 120)["attempt"] == 2
        steps, _ = site.series(run_id, "train_loss")
        assert steps == list(range(1, 30_001))
        await_that(lambda: workers(site)[killed]["state"] == "gone", "the killed worker is gone", 90)
        assert attempts(site, run_id)[1]["outcome"] == "finished"


def play_frozen(folder: Path) -> None:
    with two_workers(folder) as site:
        run_id, frozen = training(site, **RUN)
        processes = tree(site, frozen)
        silent_since = time.time()
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            await_that(lambda: workers(site)[frozen]["state"] == "silent", "the worker is silent", 40)
            await_second_attempt(site, run_id, silent_since)
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)

        await_that(lambda: workers(site)[frozen]["state"] == "well", "the worker is back")
        run = site.await_status(run_id, "finished", 120)
        assert [attempt["outcome"] for attempt in attempts(site, run_id)] == ["lost", "finished"]
        steps, _ = site.series(run_id, "train_loss")
        assert steps == list(range(1, run["steps_requested"] + 1))
        assert set(processes) <= set(site.processes("celery"))


_FOREIGN = """
from runs.models import Release
Release.objects.create(nnlab="9.9", engine="fedcba987654", schema=Release.objects.latest("pk").schema)
"""


def play_other_code(folder: Path) -> None:
    with started(folder) as site:
        await_that(lambda: at_work(site), "the worker is at work")
        before = site.processes("celery")
        nnlab(site.environment, "shell", "--no-imports", "-c", _FOREIGN)
        await_that(lambda: not at_work(site), "the worker has seen that its code does not fit")
        (run_id,) = site.submit(**SHORT_RUN)
        time.sleep(8)  # the scheduler has sent its wake-up, and somebody could have taken it
        assert site.request("GET", f"runs/{run_id}")["status"] == "queued"
        assert attempts(site, run_id) == []
        (worker,) = workers(site).values()
        assert worker["state"] == "other code"
        assert "this installation's is fedcba987654" in worker["why_idle"]
        nnlab(site.environment, "prepare", "--no-static")  # with the code that the worker has
        site.await_status(run_id, "finished")
        assert site.processes("celery") == before


def play_outage(folder: Path) -> None:
    with (
        postgresql_server(folder / "postgres") as database,
        broker(folder) as redis_url,
        started(folder, DATABASE_URL=database.address, REDIS_URL=redis_url) as site,
    ):
        await_that(lambda: at_work(site), "the worker is at work")
        (main,) = at_work(site)
        database.stop()
        time.sleep(12)  # two heartbeats
        database.start()
        await_that(lambda: site.answers() and at_work(site) == [main], "the same worker is at work")

        run_id, _ = training(site, **{**RUN, "training": {**RUN["training"], "steps": 2_000_000}})
        os.kill(main, signal.SIGTERM)
        await_that(lambda: attempts(site, run_id)[0]["outcome"] == "given back", "the run is given back", 20)
        await_that(lambda: workers(site)[main]["state"] == "stopped", "the worker has said that it stops", 30)
        await_that(lambda: len(attempts(site, run_id)) == 2, "another worker has it", 40)
        assert site.request("GET", f"runs/{run_id}")["attempt"] == 1  # it was not the run's fault
        site.request("POST", f"runs/{run_id}/stop")
        site.await_status(run_id, "cancelled", 20)


SCENES: dict[str, Callable[[Path], None]] = {
    "killed": play_killed,
    "frozen": play_frozen,
    "other code": play_other_code,
    "outage": play_outage,
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    with ThreadPoolExecutor(len(SCENES)) as pool:
        yield {
            name: pool.submit(play, tmp_path_factory.mktemp(name.replace(" ", "-")))
            for name, play in SCENES.items()
        }


def test_a_killed_worker_is_gone_and_its_run_is_tried_again_in_time(scenes: dict[str, Future[None]]) -> None:
    scenes["killed"].result()


def test_a_frozen_worker_loses_its_run_writes_nothing_more_and_comes_back(
    scenes: dict[str, Future[None]],
) -> None:
    scenes["frozen"].result()


def test_workers_of_other_code_leave_runs_alone_say_why_and_live(scenes: dict[str, Future[None]]) -> None:
    scenes["other code"].result()


def test_a_worker_outlives_its_database_and_gives_its_run_back_when_it_is_stopped(
    scenes: dict[str, Future[None]],
) -> None:
    scenes["outage"].result()
