"""Real worker, broker and scheduler: what is killed comes back, and nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnlab import versions
from tests.services.installation import Installation, installation

pytestmark = pytest.mark.services

LONG_RUN: dict[str, Any] = {
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {"hidden_units": [100, 50, 20], "dropout": 0.1, "batch_size": 100, "steps": 30_000},
}
SHORT_RUN = {"data": {"dataset": "iris"}, "training": {"depth": 1, "width": 8, "epochs": 5}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


def test_a_submitted_sweep_trains_to_its_end(site: Installation) -> None:
    runs = site.submit(**SHORT_RUN, grid={"activation": ["relu", "tanh"]}, seeds=2)
    assert len(runs) == 4
    for run_id in runs:
        run = site.await_status(run_id, "finished")
        steps, _ = site.series(run_id, "train_loss")
        assert steps == list(range(1, run["steps_requested"] + 1))


def test_the_engine_is_named_where_it_starts(site: Installation) -> None:
    (run_id,) = site.submit(**SHORT_RUN)
    site.await_status(run_id, "finished")
    line = f"Engine: {versions.engine()}\n"
    assert line in (site.home / "up.log").read_text()
    assert line in (site.home / "logs" / "worker.log").read_text()


def test_a_run_whose_worker_is_killed_finishes_as_if_nothing_had_happened(site: Installation) -> None:
    (killed,) = site.submit(**LONG_RUN)
    site.await_run(killed, lambda run: run["status"] == "running" and run["steps_run"] > 0, 30)
    for pid in site.processes("celery"):
        os.kill(pid, signal.SIGKILL)

    run = site.await_run(killed, lambda run: run["status"] == "finished", 120)
    (undisturbed,) = site.submit(**LONG_RUN)
    site.await_status(undisturbed, "finished")

    assert run["attempt"] == 2
    steps, values = site.series(killed, "train_loss")
    assert steps == list(range(1, 30_001))
    assert (steps, values) == site.series(undisturbed, "train_loss")
    assert site.series(killed, "val_rmse") == site.series(undisturbed, "val_rmse")


def test_a_running_run_stops_within_seconds_and_its_worker_lives_on(site: Installation) -> None:
    (run_id,) = site.submit(**{**LONG_RUN, "training": {**LONG_RUN["training"], "steps": 1_000_000}})
    site.await_run(run_id, lambda run: run["steps_run"] > 0, 30)
    workers = site.processes("celery")
    asked = time.monotonic()
    site.request("POST", f"runs/{run_id}/stop")

    run = site.await_status(run_id, "cancelled", 10)

    assert time.monotonic() - asked < 10
    assert run["stop_reason"] == "cancelled"
    steps, _ = site.series(run_id, "train_loss")
    assert steps == list(range(1, run["steps_run"] + 1))
    assert site.processes("celery") == workers


def test_a_killed_broker_comes_back_and_the_queue_goes_on(site: Installation) -> None:
    for pid in site.processes("valkey-server"):
        os.kill(pid, signal.SIGKILL)
    (run_id,) = site.submit(**SHORT_RUN)
    site.await_status(run_id, "finished", 60)


def test_ctrl_c_ends_everything_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with installation(tmp_path) as site:
        (run_id,) = site.submit(**LONG_RUN)
        site.await_run(run_id, lambda run: run["steps_run"] > 0, 30)
        assert site.interrupt() == 0
        assert site.processes() == []
    with installation(tmp_path) as site:
        run = site.await_status(run_id, "finished", 60)
        assert run["attempt"] == 1  # a stop of the whole installation is not the run's fault
        steps, _ = site.series(run_id, "train_loss")
        assert steps == list(range(1, 30_001))


def test_a_start_after_a_crash_of_everything_does_not_wait_for_the_leases(tmp_path: Path) -> None:
    with installation(tmp_path) as site:
        (run_id,) = site.submit(**LONG_RUN)
        site.await_run(run_id, lambda run: run["steps_run"] > 0, 30)
        site.process.kill()
        site.process.wait()
    with installation(tmp_path) as site:
        # Its attempt is taken back before the web server answers, so no lease has to lapse first.
        first = site.request("GET", f"runs/{run_id}/attempts")[0]
        assert (first["outcome"], first["reason"]) == ("lost", "crashed")
        assert site.await_status(run_id, "finished", 60)["attempt"] == 2


def test_a_second_nnlab_on_the_same_folder_is_refused(site: Installation) -> None:
    with (
        pytest.raises(AssertionError, match=r"already runs on .* stop it first"),
        installation(site.home, NNLAB_ADMIN_USER="other"),
    ):
        pass
