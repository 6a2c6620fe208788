"""A question on real workers: it is answered by itself, though scheduler and workers are killed between."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.installation import Installation, installation

pytestmark = pytest.mark.services

PATH = "projects/digits/questions"
ASKED: dict[str, Any] = {
    "name": "Is deeper better at 2,035 parameters?",
    "data": {"dataset": "digits"},
    "training": {"epochs": 4},
    "depth": [1, 2],
    "budget": {"parameters": 2035},
    "learning_rates": {"low": 0.001, "high": 0.03, "values": 3},
    "tuning_seeds": 1,
    "seeds": 4,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


def await_answer(site: Installation, number: int, *, killing: bool = False, timeout: float = 120) -> Any:
    """Wait until a question is answered; kill a worker at each of its stages where asked to."""
    deadline = time.monotonic() + timeout
    killed: set[str] = set()
    while True:
        found = site.request("GET", f"{PATH}/{number}")
        if found["stage"] not in {"tuning", "answering"}:
            return found
        if killing and found["stage"] not in killed and (children := site.processes("celery")[1:]):
            os.kill(children[-1], signal.SIGKILL)
            killed.add(found["stage"])
        assert time.monotonic() < deadline, f"after {timeout} s the question is {found}\n{site.logs()}"
        time.sleep(0.3)


def test_a_question_is_answered_by_itself_though_workers_are_killed(site: Installation) -> None:
    asked = site.request("POST", PATH, ASKED)
    assert [one["hidden_units"] for one in asked["networks"]] == [[27], [21, 21]], asked
    found = await_answer(site, asked["id"], killing=True)
    assert found["stage"] == "answered"
    assert [one["seeds"] for one in found["networks"]] == [4, 4]
    assert all(one["mean"] > 0.85 for one in found["networks"])
    assert "4 seeds, learning rate tuned over 3 values per network" in found["verdict"]["sentence"]
    tuning, answering = (
        [site.request("GET", f"runs/{run}") for run in site.request("GET", f"sweeps/{sweep}")["runs"]]
        for sweep in (found["tuning_sweep"], found["answering_sweep"])
    )
    assert (len(tuning), len(answering)) == (6, 8)
    assert {run["config"]["training"]["seed"] for run in tuning} == {0}
    assert {run["config"]["training"]["seed"] for run in answering} == {1, 2, 3, 4}
    best = {len(one["hidden_units"]): one["learning_rate"] for one in found["networks"]}
    for run in answering:
        training = run["config"]["training"]
        assert training["learning_rate"] == best[len(training["hidden_units"])]


def test_a_question_whose_runs_are_stopped_ends_without_an_answer(site: Installation) -> None:
    asked = site.request("POST", PATH, {**ASKED, "training": {"epochs": 20_000}})
    for run in site.request("GET", f"sweeps/{asked['tuning_sweep']}")["runs"]:
        site.request("POST", f"runs/{run}/stop")
    found = await_answer(site, asked["id"])
    assert found["stage"] == "ended without an answer"
    assert "Tuning was cut short" in found["error"]
