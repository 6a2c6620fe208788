"""``nnlab health backtest``: what it takes, prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from runs.models import Run
from runs.tasks import train_next
from tests.runs import builders

pytestmark = pytest.mark.django_db

SICK = {
    "hidden_units": (128, 64, 32, 16, 8),
    "activation": "sigmoid",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "steps": 400,
}


@pytest.fixture
def sick() -> Run:
    run = builders.build_run(project=builders.build_project(slug="digits"), training=SICK)
    train_next("cpu")
    return run


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("health", "backtest", *arguments)
    return capsys.readouterr().out


def test_a_table_compares_stored_alerts_with_those_of_the_given_thresholds(
    sick: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lax.json"
    file.write_text('{"checks": {"vanishing": {"open": 0, "clear": 0}}}')
    builders.build_finished_run(name="without points")
    text = printed(capsys, "--thresholds", str(file))
    assert "1 → 0" in text
    assert max(map(len, text.splitlines()[:8])) <= 80
    assert f"{sick.get_absolute_url()}  {sick.name}" in text
    assert "no vanishing" in text
    assert "A run failed if it diverged" in text
    assert "without points was not replayed: it never began to train" in text


def test_json_holds_the_same(sick: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(printed(capsys, "--json", "--project", "digits"))
    assert (found["runs"], found["failed"], found["different"], found["skipped"]) == (1, 1, [], [])
    assert found["checks"]["vanishing"]["replayed"]["precision"] == 1.0
    assert found["checks"]["any"]["stored"] == found["checks"]["any"]["replayed"]


def test_at_most_so_many_runs_are_replayed(sick: Run, capsys: pytest.CaptureFixture[str]) -> None:
    builders.build_finished_run()
    assert json.loads(printed(capsys, "--json", "--runs", "1"))["runs"] == 0


def test_an_installation_without_runs_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "No run of nnlab's own engine" in printed(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--project", "nowhere"], "there is no project 'nowhere'"),
        (["--project", ""], "there is no project ''"),
        (["--runs", "0"], "expected 1 to 100,000 runs, got --runs 0"),
        (["--runs", "99999999999999999999"], "expected 1 to 100,000 runs, got"),
        (["--thresholds", "/nowhere.json"], "cannot use /nowhere.json"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("health", "backtest", *arguments)


def test_a_threshold_file_with_an_unknown_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text('{"checks": {"vanish": {}}}')
    with pytest.raises(CommandError, match="did you mean vanishing"):
        call_command("health", "backtest", "--thresholds", str(file))
