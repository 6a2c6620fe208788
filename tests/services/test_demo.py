"""The demonstration as a stranger runs it: the figures of the course, twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.services.installation import clean_environment, free_port, nnlab

pytestmark = pytest.mark.services

# What the demonstration left in the database, as plain values.
_QUESTION = """
import json
from runs.models import Run
rows = [
    {"sweep": run.sweep.name, "status": run.status, "activation": run.activation, "score": run.score,
     "alerts": {alert.check_id: [alert.state, alert.layer_names, alert.advice[0]["title"]]
                for alert in run.alerts.exclude(severity="info")}}
    for run in Run.objects.select_related("sweep").prefetch_related("alerts")
]
print(json.dumps(rows))
"""


def runs_of(environment: dict[str, str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(nnlab(environment, "shell", "--no-imports", "-c", _QUESTION))
    return rows


def test_the_demonstration_reaches_the_course_s_figures_and_is_found_again(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path / "home")
    command = ("demo", "--exit", "--port", str(free_port()))

    first = nnlab(environment, *command)
    runs = runs_of(environment)

    assert "Administrator made" in first
    assert "Submitted 40 runs in 4 sweeps" in first
    assert {run["status"] for run in runs} == {"finished"}
    (linear,) = (run["score"] for run in runs if run["sweep"] == "Linear baseline")
    (preset,) = (run["score"] for run in runs if run["sweep"] == "Course regressor")
    assert 70_000 < linear < 80_000
    assert 50_000 < preset < 70_000
    quiz = {run["activation"]: run for run in runs if run["sweep"].startswith("Five layers")}
    assert quiz["sigmoid"]["score"] < 0.2
    state, layers, advice = quiz["sigmoid"]["alerts"]["vanishing"]
    assert state == "open"
    assert "hidden 3" in layers
    assert advice.startswith("Use ReLU")
    assert quiz["relu"]["score"] > 0.9
    assert quiz["relu"]["alerts"] == {}

    second = nnlab(environment, *command)

    assert "Administrator made" not in second
    assert "40 of 40 runs have ended; nothing is submitted twice" in second
    assert runs_of(environment) == runs
