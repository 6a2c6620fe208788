"""Searches on real workers: they go on by themselves, learn, stop losers, and end at their trials."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.installation import Installation, installation

pytestmark = pytest.mark.services

DIGITS: dict[str, Any] = {"data": {"dataset": "digits"}}
RATES = {"learning_rate": {"low": 1e-5, "high": 1.0, "log": True}}
OVER = {"finished", "failed", "cancelled"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


def submitted(site: Installation, **specification: Any) -> int:
    """Submit a sweep; its id."""
    answer = site.request("POST", "sweeps", {"project": "tests", "name": "search", **DIGITS, **specification})
    assert "id" in answer, answer
    return int(answer["id"])


def await_end(site: Installation, sweep: int, timeout: float = 120) -> tuple[Any, list[Any]]:
    """Wait until a search has ended; how it stands, and its runs."""
    deadline = time.monotonic() + timeout
    while True:
        found = site.request("GET", f"sweeps/{sweep}")
        if not found["search"]["is_open"] and found["search"]["over"] == found["search"]["made"]:
            return found["search"], [site.request("GET", f"runs/{run_id}") for run_id in found["runs"]]
        assert time.monotonic() < deadline, f"after {timeout} s the search is {found}\n{site.logs()}"
        time.sleep(0.3)


def test_a_bayesian_search_learns_and_ends_at_its_trials_though_workers_are_killed(
    site: Installation,
) -> None:
    search = {"method": "bayesian", "trials": 20, "goal": "val_loss", "space": RATES, "seed": 1}
    sweep = submitted(site, training={"depth": 1, "width": 16, "epochs": 4}, search=search)
    killed = 0
    while site.request("GET", f"sweeps/{sweep}")["search"]["is_open"]:
        if killed < 2 and (children := site.processes("celery")[1:]):
            os.kill(children[-1], signal.SIGKILL)
            killed += 1
        time.sleep(2.5)
    found, runs = await_end(site, sweep)
    assert (found["made"], found["over"], len(runs)) == (20, 20, 20)
    assert {run["status"] for run in runs} <= OVER
    opening = [run["summary"]["val_loss"] for run in runs[:8] if run["status"] == "finished"]
    assert found["best"]["value"] < max(opening)
    later = sorted(run["summary"]["val_loss"] for run in runs[8:] if run["status"] == "finished")
    assert later[len(later) // 2] < sorted(opening)[len(opening) // 2]


def test_successive_halving_trains_less_and_frees_its_members(site: Installation) -> None:
    search = {
        "method": "latin_hypercube", "trials": 12, "space": RATES, "goal": "val_loss",
        "halving": {"factor": 3, "first_epochs": 2},
    }  # fmt: skip
    training = {"depth": 1, "width": 32, "epochs": 200}
    found, runs = await_end(site, submitted(site, training=training, search=search))
    steps = {run["steps_requested"] for run in runs}
    assert len(steps) == 1
    full = 12 * steps.pop()
    assert found["steps"] < 0.6 * full
    assert {run["status"] for run in runs} <= {"finished", "failed"}  # a rate of 1 may diverge
    halved = [run for run in runs if run["stop_reason"] == "halved"]
    assert len(halved) >= 5
    assert all("Halved at rung" in run["error"] for run in halved)
    assert found["best"]["state"] == "done"
    assert [rung["level"] for rung in found["rungs"]] == list(range(1, len(found["rungs"]) + 1))
    (solo,) = site.submit(**DIGITS, training={"epochs": 1})
    assert site.await_status(solo, "finished", 20)  # the members that were stopped hold nobody up


def test_a_cancelled_search_proposes_nothing_more(site: Installation) -> None:
    search = {"method": "bayesian", "trials": 40, "space": RATES, "parallel": 2}
    sweep = submitted(site, training={"epochs": 20_000}, search=search)
    runs = site.request("GET", f"sweeps/{sweep}")["runs"]
    for run_id in runs:
        site.request("POST", f"runs/{run_id}/stop")
    found, ended = await_end(site, sweep, 30)
    assert (found["made"], len(ended)) == (10, 10)
    assert {run["status"] for run in ended} == {"cancelled"}
