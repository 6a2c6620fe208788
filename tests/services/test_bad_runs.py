"""Runs that ask for too much, and a full disk: they fail or wait and say why, and others go on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.services.chaos.verdict import faults, stored, tell
from tests.services.installation import Installation, installation, nnlab

pytestmark = pytest.mark.services

FULL_SECONDS = 40.0  # a lease has 30
DIGITS: dict[str, Any] = {"data": {"dataset": "digits"}}
SHORT_RUN: dict[str, Any] = {**DIGITS, "training": {"depth": 1, "width": 8, "epochs": 5}}
ENDLESS = {"hidden_units": [16], "batch_size": 32, "steps": 10_000_000}
# What is greedier by half is refused before it is queued.
GREEDY = {"hidden_units": [2_300, 2_200], "batch_size": 32, "steps": 100}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def neighbour(site: Installation) -> Iterator[int]:
    """A run that trains on."""
    (run_id,) = site.submit(**DIGITS, training=ENDLESS)
    site.await_run(run_id, lambda run: run["steps_run"] > 0, 60)
    yield run_id
    site.request("POST", f"runs/{run_id}/stop")
    site.await_status(run_id, "cancelled", 30)


@pytest.mark.parametrize(
    ("training", "job", "reason", "words"),
    [
        (GREEDY, {"memory_limit_mb": 200}, "memory limit", "needed more memory than its limit of 200 MB"),
        (ENDLESS, {"time_limit": 5}, "time limit", "reached its time limit of 5 s"),
    ],
    ids=["more memory than its limit", "endless"],
)
def test_a_run_that_asks_for_too_much_fails_in_words_and_nobody_else_suffers(
    site: Installation, neighbour: int, training: dict[str, Any], job: dict[str, Any], reason: str, words: str
) -> None:
    workers = site.processes("celery")
    (bad,) = site.submit(**DIGITS, training=training, job={"queue": "gpu"})  # where nobody takes it
    bounds = {**job, "queue": "cpu"}  # a submission that is known to need more is refused at once
    bound = f"from runs.models import Run; Run.objects.filter(pk={bad}).update(**{bounds})"
    nnlab(site.environment, "shell", "--no-imports", "-c", bound)

    run = site.await_status(bad, "failed", 120)

    assert run["stop_reason"] == reason
    assert words in run["error"]
    assert run["attempt"] == 1
    (next_one,) = site.submit(**SHORT_RUN)
    site.await_status(next_one, "finished", 60)
    assert site.processes("celery") == workers
    before = site.request("GET", f"runs/{neighbour}")["steps_run"]
    site.await_run(neighbour, lambda run: run["status"] == "running" and run["steps_run"] > before, 30)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "nnlab-tests", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TESTED: a full disk, because no small one can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave nothing free on a disk; the file that fills it."""
    ballast = disk / "ballast"
    size = 2**20
    with ballast.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return ballast


def test_runs_wait_while_the_disk_is_full_and_end_as_if_it_never_was(tmp_path: Path) -> None:
    run = {"project": "tests", "name": "full", "data": {"dataset": "california_housing", "recipe": "lab6"}}
    run["training"] = {"hidden_units": [64, 32], "batch_size": 100, "steps": 60_000, "dropout": 0.1}
    with small_disk(tmp_path / "disk", 200) as disk, installation(disk / "home") as site:
        tell(site, "watch")
        disturbed = site.request("POST", "sweeps", run)
        (run_id,) = disturbed["runs"]
        site.await_run(run_id, lambda found: found["steps_run"] > 0, 60)
        workers = site.processes("celery")
        ballast = fill(disk)
        time.sleep(FULL_SECONDS)
        seen = site.request("GET", f"runs/{run_id}")
        assert seen["status"] == "running"
        assert "disk is full" in (site.home / "logs" / "worker.log").read_text()
        ballast.unlink()

        site.await_status(run_id, "finished", 180)

        assert site.processes("celery") == workers
        undisturbed = site.request("POST", "sweeps", run)
        site.await_status(undisturbed["runs"][0], "finished", 120)
        found, wanted = stored(site, [disturbed["id"], undisturbed["id"]])
        assert list(faults(found, wanted)) == []
