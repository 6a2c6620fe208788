"""Workers that are told to stop: their runs are saved and go on elsewhere; what does not end is ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nnlab import home
from tests.services.installation import Installation, installation

pytestmark = pytest.mark.services

LONG_RUN: dict[str, Any] = {
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"hidden_units": [100, 50, 20], "batch_size": 100, "steps": 2_000_000},
}
SHORT_RUN = {"data": {"dataset": "iris"}, "training": {"depth": 1, "width": 8, "epochs": 5}}
PATIENCE = 60.0  # seconds
NEVER = {"NNLAB_STOP_SECONDS": "3600"}  # only a second signal can end what does not end by itself


def await_that(condition: Callable[[], object], claim: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {claim}"
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def training(site: Installation) -> tuple[int, int]:
    """Submit a long run; it, and the main process of the worker that trains it."""
    (run_id,) = site.submit(**LONG_RUN)
    site.await_run(run_id, lambda run: run["status"] == "running" and run["steps_run"] > 0, PATIENCE)
    (worker,) = (found for found in site.request("GET", "workers")["workers"] if run_id in found["runs"])
    return run_id, worker["pid"]


def attempts(site: Installation, run_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.request("GET", f"runs/{run_id}/attempts")
    return found


def pool(main: int) -> list[int]:
    """The processes of a worker that train."""
    found = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return [int(pid) for pid in found]


@contextmanager
def frozen(main: int) -> Iterator[list[int]]:
    """Processes that cannot hear that they shall leave."""
    processes = pool(main)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield processes
    finally:
        for pid in filter(is_alive, processes):
            os.kill(pid, signal.SIGCONT)


def await_next_attempt(site: Installation, run_id: int) -> dict[str, Any]:
    """Wait until the run goes on beyond where its first attempt came; the second."""
    await_that(lambda: len(attempts(site, run_id)) == 2, "the run is taken up again")
    first = attempts(site, run_id)[0]
    assert (first["outcome"], first["reason"]) == ("given back", "stopped")
    run = site.await_run(run_id, lambda found: found["steps_run"] > first["last_step"], PATIENCE)
    assert run["attempt"] == 1  # it was not the run's fault
    return attempts(site, run_id)[1]


def test_a_worker_that_is_told_to_stop_saves_its_run_and_leaves_without_a_fault(tmp_path: Path) -> None:
    with installation(tmp_path, NNLAB_LOG="json", **NEVER) as site:
        run_id, main = training(site)
        os.kill(main, signal.SIGTERM)
        await_that(lambda: not is_alive(main), "the worker has ended")
        log = (tmp_path / "logs" / "worker.log").read_text()

        second = await_next_attempt(site, run_id)

    assert second["began_after"] > 0  # from what the first saved
    assert "its runs have" in log
    assert '"level": "error"' not in log
    assert "by force" not in log


def test_a_worker_that_is_told_twice_ends_though_its_processes_do_not(tmp_path: Path) -> None:
    with installation(tmp_path, **NEVER) as site:
        run_id, main = training(site)
        with frozen(main) as processes:
            os.kill(main, signal.SIGTERM)
            log = tmp_path / "logs" / "worker.log"
            await_that(lambda: "its runs have" in log.read_text(), "the worker has heard it")
            os.kill(main, signal.SIGTERM)
            await_that(lambda: not any(map(is_alive, [main, *processes])), "all processes have ended")
        assert "by force: asked twice" in log.read_text()
        await_next_attempt(site, run_id)


def test_ctrl_c_saves_what_is_trained_and_the_next_start_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")  # as for the installation
    counts = home.broker_socket(tmp_path.resolve()).with_suffix(".counts")
    with installation(tmp_path) as site:
        run_id, _ = training(site)
        assert counts.exists()
        assert site.interrupt(timeout=PATIENCE) == 0
        assert site.processes() == []
        assert not counts.exists()
        assert "killed" not in (tmp_path / "up.log").read_text()
    with installation(tmp_path) as site:
        assert await_next_attempt(site, run_id)["began_after"] > 0


def test_a_second_ctrl_c_ends_everything_at_once(tmp_path: Path) -> None:
    with installation(tmp_path, **NEVER) as site:
        run_id, main = training(site)
        with frozen(main):
            site.process.send_signal(signal.SIGINT)
            log = tmp_path / "logs" / "worker.log"
            await_that(lambda: "its runs have" in log.read_text(), "the worker has heard it")
            assert site.interrupt(timeout=PATIENCE) == 0
        assert site.processes() == []
        assert "worker did not stop in time and is killed" in (tmp_path / "up.log").read_text()
    with installation(tmp_path) as site:
        await_next_attempt(site, run_id)


def test_a_process_that_has_grown_too_large_is_renewed_after_its_run(tmp_path: Path) -> None:
    with installation(tmp_path, NNLAB_WORKER_MEMORY_MB="1") as site:
        processes = []
        for _ in range(3):
            (run_id,) = site.submit(**SHORT_RUN)
            site.await_status(run_id, "finished")
            processes += [attempt["process"] for attempt in attempts(site, run_id)]
        assert len(set(processes)) == 3
