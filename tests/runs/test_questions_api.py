"""Questions by the API: asked, followed and answered by a program."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from runs.models import ApiToken, Question
from tests.runs.builders import build_user
from tests.runs.questions import answer, best_at, build_asked, build_question, tune

pytestmark = pytest.mark.django_db

PATH = "/api/projects/digits/questions"


@pytest.fixture
def script() -> Client:
    user = build_user("submit_sweep")
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(user.pk, 'test')}"})


def asked(script: Client, **changes: Any) -> tuple[int, Any]:
    found = script.post(PATH, json.dumps(build_asked(**changes)), content_type="application/json")
    return found.status_code, found.json()


def test_a_program_asks_follows_and_is_answered(script: Client) -> None:
    status, made = asked(script)
    assert (status, made["project"], made["stage"], made["verdict"]) == (201, "digits", "tuning", None)
    assert [one["hidden_units"] for one in made["networks"]] == [[27], [21, 21]]
    assert [one["runs"] for one in made["networks"][0]["rates"]] == [1, 1, 1]
    assert {(one["learning_rate"], one["at_edge"]) for one in made["networks"]} == {(None, False)}
    question = Question.objects.get()
    tune(question, best_at(0.1))
    answer(question, lambda run: 0.9 + (0.01 + 0.0001 * ((run.seed or 0) % 3)) * (run.depth or 0))
    found = script.get(f"{PATH}/{made['id']}").json()
    assert (found["stage"], found["verdict"]["best"], found["is_confounded"]) == (
        "answered",
        "2 layers",
        True,
    )
    assert found["verdict"]["sentence"].startswith("At 2,035 parameters")
    [pair] = found["verdict"]["pairs"]
    assert pair["mean"] == pytest.approx(0.01, rel=0.02)
    assert pair["verdict"] == "differ"
    assert [one["learning_rate"] for one in found["networks"]] == [0.1, 0.1]
    assert found["answering_sweep"] == question.confirmation_id


def test_what_is_wrong_is_answered_by_field(script: Client) -> None:
    status, found = asked(script, budget={"parameters": 90}, seeds=1)
    assert status == 422
    assert "at least 2 seeds" in found["errors"]["seeds"][0]
    status, found = asked(script, project="Another")
    assert (status, "expected digits" in found["errors"]["project"][0]) == (422, True)
    assert not Question.objects.exists()


def test_questions_are_listed_in_one_look(
    script: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    several = [build_question().pk for _ in range(3)]
    with django_assert_max_num_queries(5):
        found = script.get(PATH).json()
    assert [one["id"] for one in found] == several[::-1]
    assert [one["id"] for one in script.get(f"{PATH}?before={several[1]}").json()] == several[:1]


def test_who_has_no_right_cannot_ask_and_who_has_no_token_sees_nothing() -> None:
    reader = Client(headers={"Authorization": f"Bearer {ApiToken.issue(build_user().pk, 'test')}"})
    assert asked(reader)[0] == 403
    assert Client().get(PATH).status_code == 401
    assert reader.get(f"{PATH}/999").status_code == 404
