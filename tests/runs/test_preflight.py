"""What is told of a submission before it is trained, where people submit: page, API and command line."""

from __future__ import annotations

from dataclasses import fields
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from nnlab.engine.config import TrainingConfig
from runs import preflight, submission
from runs.models import Run, Sweep
from runs.preflight import Finding, Forecast, forecast
from tests.runs import builders
from tests.runs.test_alert_api import Script
from tests.runs.test_pages_sweeps import GOOD


def found(**submitted: Any) -> Forecast:
    whole = {"project": "p", "name": "n", "data": {"dataset": "circle"}, **submitted}
    return forecast(submission.parse(whole))


def one(told: Forecast, check: str) -> Finding:
    (finding,) = [finding for finding in told.findings if finding.check == check]
    return finding


NARROW = {"activation": "relu", "steps": 10}


def test_a_sound_submission_is_told_nothing() -> None:
    told = found(training={"hidden_units": [32, 32], "steps": 10}, seeds=3)
    assert (told.findings, told.configurations, told.judged) == ((), 1, 1)
    assert told.lines == []


def test_a_finding_is_told_once_for_all_its_members() -> None:
    told = found(
        training=NARROW,
        grid={"depth": [3, 8], "width": [2, 3, 32], "learning_rate": [0.1, 0.01]},
        seeds=3,
    )
    finding = one(told, "born_dead")
    assert (told.configurations, told.networks) == (12, 6)
    assert (finding.configurations, finding.varies) == (8, True)
    assert finding.networks == (
        "2-2-2 relu",
        "3-3-3 relu",
        "-".join("22222222") + " relu",
        "-".join("33333333") + " relu",
    )
    assert "Widen the hidden layers" in {advice.title for advice in finding.advice}


def test_what_is_more_severe_is_told_apart_and_first() -> None:
    told = found(training=NARROW, grid={"dropout": [0.1, 0.9], "hidden_units": [[4, 4, 4], [64, 64]]})
    strong, weak = (finding for finding in told.findings if finding.check == "dropout")
    assert (strong.severity, strong.networks) == (
        "warning",
        ("4-4-4 relu dropout 0.9", "64-64 relu dropout 0.9"),
    )
    assert (weak.severity, weak.networks) == ("info", ("4-4-4 relu dropout 0.1", "64-64 relu dropout 0.1"))
    severities = [finding.severity for finding in told.findings]
    assert severities == sorted(severities, key=["critical", "warning", "info"].index)


def test_another_seed_is_advised_to_a_single_one_only() -> None:
    alone, several = (found(training={**NARROW, "hidden_units": [2, 2, 2]}, seeds=seeds) for seeds in (1, 3))
    codes = [{advice.code for advice in one(told, "born_dead").advice} for told in (alone, several)]
    assert codes[0] - codes[1] == {"A15"}


OTHERS = {
    "optimizer": "momentum", "learning_rate": 3.0, "momentum": 0.5, "weight_decay": 0.3, "schedule": "cosine",
    "warmup_steps": 3, "decay_rate": 0.7, "decay_every": 7, "plateau_epochs": 2, "l1": 0.5, "l2": 0.5,
    "max_norm": 1.0, "clip_norm": 1.0, "clip_layer_norm": 1.0, "clip_value": 1.0, "batch_size": 7,
    "epochs": 3, "steps": 9, "validate_every": 4, "early_stopping_epochs": 2, "shuffle": False, "seed": 5,
    "dtype": "float64",
}  # fmt: skip


def test_what_is_not_read_changes_no_finding() -> None:
    assert {field.name for field in fields(TrainingConfig)} == set(preflight.READ) | set(OTHERS)
    sick = {
        "hidden_units": [2, 2, 2],
        "activation": "relu",
        "dropout": 0.9,
        "initializer": "ones",
        "steps": 9,
    }
    sick |= {"output_activation": "linear", "loss": "mse"}
    data = {"dataset": "iris", "recipe": "raw"}
    plain = found(training=sick, data=data).findings
    assert len(plain) >= 4
    for field, value in OTHERS.items():
        if field == "seed":
            changed = found(training=sick, data=data, seeds=[value]).findings
        else:
            other = {**sick, field: value, **({"steps": None} if field == "epochs" else {})}
            changed = found(training=other, data=data).findings
        words = [
            [(one.check, one.severity, one.title, one.cause) for one in some] for some in (plain, changed)
        ]
        assert words[0] == words[1], field


def test_a_large_sweep_is_looked_at_in_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "MOST_NETWORKS", 5)
    told = found(training=NARROW, grid={"depth": [3], "width": list(range(2, 22))})
    assert (told.networks, told.judged) == (20, 5)
    assert one(told, "born_dead").networks == ("2-2-2 relu", "6-6-6 relu")
    assert told.lines[-1] == "looked at 5 of 20 networks, evenly chosen"


def test_data_that_is_gone_meanwhile_is_said(settings: LazySettings, tmp_path: Path) -> None:
    settings.CSV_FOLDER = tmp_path
    file = tmp_path / "a.csv"
    file.write_text("x,y\n" + "".join(f"{row / 50},{row % 2}\n" for row in range(60)))
    spec = submission.parse(
        {"project": "p", "name": "n", "data": {"dataset": "a.csv"}, "training": {"steps": 5}}
    )
    file.unlink()
    told = forecast(spec)
    assert (told.findings, told.judged) == ((), 0)
    assert "a.csv" in told.problem
    assert told.lines == [told.problem]


@pytest.mark.django_db
def test_the_page_tells_it_where_runs_are_counted_and_submits_all_the_same(client: Client) -> None:
    client.force_login(builders.build_user("submit_sweep"))
    asked = {**GOOD, "depth": "3", "width": "2, 64", "seeds": "3"}
    text = client.post(reverse("sweep-new"), {**asked, "preview": "1"}).content.decode()
    assert "in 1 of 2 configurations" in text
    assert "Narrow ReLU layers" in text
    assert "Widen the hidden layers" in text
    assert "2-2-2 relu" in text
    client.post(reverse("sweep-new"), asked)
    assert Run.objects.count() == 6
    text = client.post(reverse("sweep-new"), {**GOOD, "preview": "1"}).content.decode()
    assert "object to nothing" in text


@pytest.mark.django_db
def test_the_api_checks_without_submitting() -> None:
    body = {
        "project": "p",
        "name": "n",
        "data": {"dataset": "circle"},
        "training": {**NARROW, "depth": 3},
        "grid": {"width": [2, 64]},
    }

    script = Script("submit_sweep")
    answer = script.post("/sweeps/check", body)
    assert (answer["runs"], answer["configurations"], answer["judged"], answer["problem"]) == (2, 2, 2, "")
    (finding,) = [one for one in answer["findings"] if one["check"] == "born_dead"]
    assert (finding["configurations"], finding["networks"]) == (1, ["2-2-2 relu"])
    assert "hidden_units" in {op["path"] for advice in finding["advice"] for op in advice["ops"]}
    script.post("/sweeps/check", {**body, "training": {"steps": 0}}, HTTPStatus.UNPROCESSABLE_ENTITY)
    Script("stop_run").post("/sweeps/check", body, HTTPStatus.FORBIDDEN)
    assert not Sweep.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("check", [True, False])
def test_the_command_line_tells_it_and_submits_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], check: bool
) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(
        'project = "p"\nname = "n"\n[data]\ndataset = "circle"\n'
        '[training]\nsteps = 10\nactivation = "relu"\ndepth = 3\n[grid]\nwidth = [2, 64]\n'
    )
    call_command("submit", str(file), check=check)
    told = capsys.readouterr().err
    assert "info: Narrow ReLU layers" in told or "warning: Narrow ReLU layers" in told
    assert "(1 of 2 configurations)" in told
    assert "  try: Widen the hidden layers" in told
    assert Run.objects.count() == (0 if check else 2)
