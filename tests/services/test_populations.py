"""Sweeps on real workers, which train many runs in one task: each run ends as if it had been alone."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.services.installation import Installation, clean_environment, installation, nnlab
from tests.services.stores import postgresql

pytestmark = pytest.mark.services

HOUSING: dict[str, Any] = {"data": {"dataset": "california_housing", "recipe": "lab6"}}
NETWORK: dict[str, Any] = {"depth": 1, "width": 8, "optimizer": "sgd", "batch_size": 64}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


def trained_together(site: Installation) -> list[set[int]]:
    """The runs of each task so far, by the worker's log."""
    log = (site.home / "logs" / "worker.log").read_text()
    found = re.findall(r"training \d+ run\(s\) together: ([\d, ]+)", log)
    return [{int(run_id) for run_id in run_ids.split(", ")} for run_ids in found]


def settings_of(site: Installation, run_ids: list[int]) -> dict[tuple[str, float, int], int]:
    """The runs by what was varied."""
    found = {}
    for run_id in run_ids:
        training = site.request("GET", f"runs/{run_id}")["config"]["training"]
        found[training["activation"], training["learning_rate"], training["steps"]] = run_id
    return found


def test_each_run_of_a_mixed_sweep_ends_in_its_own_way(site: Installation) -> None:
    lengths, rates = [400, 4_000_000], [0.001, 1e6]  # the long ones are still at work when they are stopped
    grid = {"activation": ["relu", "tanh"], "learning_rate": rates, "steps": lengths}
    runs = settings_of(site, site.submit(**HOUSING, training=NETWORK, grid=grid))
    assert len(runs) == 8

    for activation in ("relu", "tanh"):
        short, long = (runs[activation, 0.001, steps] for steps in lengths)
        assert site.await_status(short, "finished")["steps_run"] == 400
        site.await_run(long, lambda run: run["status"] == "running" and run["steps_run"] > 0, 30)
        site.request("POST", f"runs/{long}/stop")
        stopped = site.await_status(long, "cancelled", 10)
        steps = stopped["steps_run"]  # more than one answer lists, on a fast machine
        assert site.count_of(long, "train_loss") == (steps, 1, steps)
        for steps_asked in lengths:
            diverged = site.await_status(runs[activation, 1e6, steps_asked], "failed")
            assert diverged["stop_reason"] == "diverged"
            assert "stopped being finite at step" in diverged["error"]
        alone = {**NETWORK, "activation": activation, "learning_rate": 0.001, "steps": 400}
        (solo,) = site.submit(**HOUSING, training=alone)
        site.await_status(solo, "finished")
        for metric in ("train_loss", "gradient_norm", "val_loss", "val_rmse"):
            assert site.series(short, metric) == site.series(solo, metric)

    tasks = trained_together(site)
    assert {runs["relu", rate, steps] for rate in rates for steps in lengths} in tasks
    assert sum(len(task & set(runs.values())) for task in tasks) == 8  # none was trained twice
    assert not any({runs["relu", 0.001, 400], runs["tanh", 0.001, 400]} <= task for task in tasks)


def test_all_runs_of_a_killed_worker_finish_as_if_nothing_had_happened(site: Installation) -> None:
    # Wide enough that all are still at work when the last of them is seen to be.
    training = {**NETWORK, "depth": 2, "width": 64, "batch_size": 256, "steps": 30_000, "learning_rate": 1e-4}
    runs = site.submit(**HOUSING, training=training, seeds=6)
    for run_id in runs[:4]:
        site.await_run(run_id, lambda run: run["status"] == "running" and run["steps_run"] > 0, 30)
    for pid in site.processes("celery"):
        os.kill(pid, signal.SIGKILL)

    ended = [site.await_run(run_id, lambda run: run["status"] == "finished", 120) for run_id in runs]

    assert {run["attempt"] for run in ended[:4]} == {2}
    (undisturbed,) = site.submit(**HOUSING, training=training)
    site.await_status(undisturbed, "finished")
    assert site.series(runs[0], "train_loss") == site.series(undisturbed, "train_loss")
    for run_id in runs:
        assert site.series(run_id, "train_loss")[0] == list(range(1, 30_001))


_CLAIM_ALL = """
import json, time
from pathlib import Path
from runs import queue
from runs.training import buckets
queue.live_workers = lambda _: 60
gate = Path({gate!r})
(gate / "{number}").touch()
while len(list(gate.iterdir())) < 4:  # however long the others take to start
    time.sleep(0.001)
claims = iter(lambda: list(buckets.claim_next("cpu", "host:{number}")), [])
print(json.dumps(list(claims)))
"""


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_claims_at_the_same_moment_never_share_a_run(tmp_path: Path, store: str) -> None:
    with postgresql(tmp_path / "postgres") if store == "postgresql" else nullcontext("") as database:
        settings = {"DATABASE_URL": database} if database else {}
        environment = clean_environment(tmp_path / "home", **settings)
        nnlab(environment, "prepare", "--no-static")
        sweep = tmp_path / "sweep.json"
        sweep.write_text(
            json.dumps(
                {"project": "p", "name": "n", **HOUSING, "training": {**NETWORK, "steps": 100}, "seeds": 300}
            )
        )
        nnlab(environment, "submit", str(sweep))
        gate = tmp_path / "gate"
        gate.mkdir()

        def claims(number: int) -> list[list[int]]:
            code = _CLAIM_ALL.format(gate=str(gate), number=number)
            found: list[list[int]] = json.loads(nnlab(environment, "shell", "--no-imports", "-c", code))
            return [claim for claim in found if claim]

        with ThreadPoolExecutor(4) as pool:
            by_worker = list(pool.map(claims, range(4)))

        claimed = sorted(run_id for found in by_worker for claim in found for run_id in claim)
        assert claimed == list(range(claimed[0], claimed[0] + 300))
        assert sum(bool(found) for found in by_worker) > 1
