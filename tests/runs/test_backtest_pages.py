"""The page of a project's backtest: what it takes, what it refuses, what it shows."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from runs.models import Project, Run
from runs.pages import backtest as page
from runs.tasks import train_next
from tests.runs import builders
from tests.runs.test_backtest_command import SICK

pytestmark = pytest.mark.django_db

LAX = '{"checks": {"vanishing": {"open": 0, "clear": 0}}}'


@pytest.fixture
def project() -> Project:
    return builders.build_project(slug="digits")


@pytest.fixture
def sick(project: Project) -> Run:
    run = builders.build_run(project=project, training=SICK)
    train_next("cpu")
    return run


@pytest.fixture
def person(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


def replay(client: Client, thresholds: str = "", **fields: Any) -> Any:
    return client.post("/p/digits/backtest/replay/", {"thresholds": thresholds, "runs": 50, **fields})


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_a_project_without_runs_says_what_will_be_here(person: Client, project: Project) -> None:
    answer = text(person.get("/p/digits/backtest/"))
    assert "No run to look back at" in answer
    assert "<form" not in answer.partition("<main")[2]


def test_the_rule_of_failure_and_the_shipped_thresholds_are_shown(person: Client, sick: Run) -> None:
    answer = text(person.get("/p/digits/backtest/"))
    assert "A run failed if it diverged" in answer
    assert "&quot;n_open&quot;" in answer


def test_the_shipped_thresholds_change_nothing(person: Client, sick: Run) -> None:
    answer = text(replay(person))
    assert "every run would have had the alerts that it has" in answer
    assert "1 → 1" in answer


def test_other_thresholds_name_the_runs_that_differ(person: Client, sick: Run) -> None:
    for answer in (replay(person, LAX), replay(person, "{", file=SimpleUploadedFile("t.json", LAX.encode()))):
        found = text(answer)
        assert answer.status_code == 200
        assert "1 → 0" in found
        assert f'<a href="{sick.get_absolute_url()}">{sick.name}</a>' in found
        assert "failed: no better than a constant answer" in found


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"thresholds": "{"}, "Expected JSON"),
        ({"thresholds": '{"checks": {"vanish": {}}}'}, "unknown; did you mean vanishing?"),
        ({"file": SimpleUploadedFile("t.json", b"\xff")}, "Expected JSON in UTF-8"),
        ({"file": SimpleUploadedFile("t.json", b" " * 100_001)}, "at most 100,000 bytes"),
        ({"runs": 201}, "less than or equal to 200"),
        ({"runs": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_used_is_named_beside_its_field(
    person: Client, sick: Run, fields: dict[str, Any], message: str
) -> None:
    answer = replay(person, **fields)
    assert answer.status_code == 400
    assert message in text(answer).replace("&quot;", '"')


def test_who_may_not_submit_runs_may_not_keep_the_server_busy(client: Client, sick: Run) -> None:
    client.force_login(builders.build_user())
    assert "Replay</button>" not in text(client.get("/p/digits/backtest/"))
    assert replay(client).status_code == 403


def test_a_page_ends_when_its_time_is_over_and_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, person: Client, sick: Run
) -> None:
    monkeypatch.setattr(page, "SECONDS", -1.0)
    answer = text(replay(person))
    assert "There was no time for 1 further run;" in answer
    assert "None of these runs can be replayed" not in answer
