"""Real workers that are killed, stopped and told to pause: each run goes on where it was, to the last bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.native import needs_native
from tests.services.installation import CHECKOUT, Installation, installation, nnlab
from tests.services.stores import postgresql

pytestmark = pytest.mark.services

RUN: dict[str, Any] = {
    "data": {"dataset": "california_housing", "recipe": "lab6"},
    "training": {
        "hidden_units": [100, 50, 20],
        "dropout": 0.1,
        "batch_norm": True,
        "batch_size": 100,
        "schedule": "reduce_on_plateau",
    },
}
STEPS = {"native": 80_000, "numpy": 8_000}
AWAIT = """
import time
from runs.models import Checkpoint
print("ready", flush=True)
while not Checkpoint.objects.filter(run__status="running", step__gt=0).exists():
    time.sleep(0.05)
"""
COMPARE = "from tests.runs.whole_runs import assert_same; assert_same({}, {})"


class Place:
    """Where an installation is started, perhaps several times."""

    def __init__(self, home: Path, tier: str, settings: dict[str, str]) -> None:
        self.home, self.tier = home, tier
        self.settings = {"NNLAB_CHECKPOINT_SECONDS": "0.5", "NNLAB_TIER": tier, **settings}

    def started(self) -> Any:
        return installation(self.home, **self.settings)

    def submit(self, site: Installation) -> int:
        training = {**RUN["training"], "steps": STEPS[self.tier]}
        (run_id,) = site.submit(**{**RUN, "training": training})
        site.await_run(run_id, lambda run: run["status"] == "running" and run["steps_run"] > 0, 60)
        return run_id


PLACES = [pytest.param(("sqlite", "native"), marks=needs_native), ("postgresql", "numpy")]


@pytest.fixture(params=PLACES, ids="-".join, scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    database, tier = request.param
    folder = tmp_path_factory.mktemp("checkpoints")
    with ExitStack() as stack:
        settings = {}
        if database == "postgresql":
            settings["DATABASE_URL"] = stack.enter_context(postgresql(folder / "postgres"))
        yield Place(folder / "home", tier, settings)


@contextmanager
def checkpoint_awaited(site: Installation) -> Iterator[None]:
    """Wait at the end of the block for a checkpoint of a run that is being trained."""
    command = [sys.executable, "-m", "nnlab", "shell", "-c", AWAIT]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=dict(site.environment), stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdout is not None
        while waiting.stdout.readline() != "ready\n":
            assert waiting.poll() is None
        yield
        waiting.wait(60)


def began(site: Installation, run_id: int) -> list[tuple[str, int, int]]:
    """How each attempt ended, the step after which it began, and its last one."""
    attempts = site.request("GET", f"runs/{run_id}/attempts")
    return [(attempt["outcome"], attempt["began_after"], attempt["last_step"]) for attempt in attempts]


def test_runs_that_are_cut_off_or_paused_end_as_if_nothing_had_been(place: Place) -> None:
    with place.started() as site:
        undisturbed = place.submit(site)
        site.await_status(undisturbed, "finished", 120)

        with checkpoint_awaited(site):
            killed = place.submit(site)
        for pid in site.processes("celery"):
            os.kill(pid, signal.SIGKILL)
        site.await_status(killed, "finished", 180)
        (lost, second) = began(site, killed)
        assert (lost[0], second[0]) == ("lost", "finished")
        assert second[1] > 0

        paused = place.submit(site)
        site.request("POST", f"runs/{paused}/pause")
        site.await_status(paused, "paused", 30)
        site.request("POST", f"runs/{paused}/unpause")
        site.await_status(paused, "finished", 120)
        (held, second) = began(site, paused)
        assert (held[0], second[0]) == ("paused", "finished")
        assert second[1] == held[2] > 0

        stopped = place.submit(site)
        assert site.interrupt() == 0

    with place.started() as site:
        site.await_status(stopped, "finished", 120)
        (given_back, second) = began(site, stopped)
        assert (given_back[0], second[0]) == ("given back", "finished")
        assert second[1] == given_back[2] > 0
        for run_id in (killed, paused, stopped):
            nnlab(site.environment, "shell", "-c", COMPARE.format(run_id, undisturbed))
