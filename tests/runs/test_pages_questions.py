"""The pages of questions: asked by a form, watched, answered, asked again; whatever is typed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from runs.models import Question, Run, Status
from tests.runs.builders import build_project, build_user
from tests.runs.questions import answer, best_at, build_question, end, tune

pytestmark = pytest.mark.django_db

LIST_QUERIES, ANSWER_QUERIES, NOW_QUERIES = 9, 9, 5


@pytest.fixture
def asker(client: Client) -> Client:
    client.force_login(build_user("submit_sweep", "stop_run"))
    return client


def typed(**changes: Any) -> dict[str, Any]:
    """Fill in the form as a person does."""
    good = {
        "name": "Is deeper better?", "depth": "1, 2", "activation": ["relu"], "dropout": "0",
        "budget_kind": "parameters", "budget": "2035", "learning_rates": "0.001 .. 0.1 log",
        "rate_values": "3", "tuning_seeds": "1", "seeds": "3", "dataset": "digits", "steps": "5",
        "batch_size": "32", "optimizer": "adam",
    }  # fmt: skip
    return {**good, **changes}


def text_of(client: Client, path: str) -> str:
    found = client.get(path)
    assert found.status_code == 200
    return found.content.decode()


def answered(**changes: Any) -> Question:
    question = build_question(**changes)
    tune(question)
    answer(question, lambda run: 0.9 + (0.01 + 0.0001 * ((run.seed or 0) % 3)) * (run.depth or 0))
    return question


def test_a_question_is_asked_by_the_form(asker: Client) -> None:
    project = build_project()
    path = reverse("question-new", args=[project.slug])
    assert 'name="depth"' in text_of(asker, path)
    found = asker.post(path, typed())
    question = Question.objects.get()
    assert (found.status_code, found["Location"]) == (302, question.get_absolute_url())
    assert (question.project, question.created_by_id) == (project, int(asker.session["_auth_user_id"]))
    assert question.specification["learning_rates"] == [0.001, 0.01, 0.1]
    assert question.tuning.runs.count() == 6


def test_the_networks_and_their_cost_are_shown_before_anything_is_asked(asker: Client) -> None:
    path = reverse("question-new", args=[build_project().slug])
    found = asker.post(path, {**typed(), "preview": "1"})
    text = found.content.decode()
    assert found.status_code == 200
    assert "Nothing was asked yet: this would be 12 runs" in text
    assert "2 networks × 3 learning rates (1e-3, 0.01, 0.1) × 1 seed" in text
    assert "2\u2009035" in text
    assert "of work" in text
    assert not Question.objects.exists()


def test_a_preview_of_equal_widths_says_that_it_is_no_equal_size(asker: Client) -> None:
    path = reverse("question-new", args=[build_project().slug])
    text = asker.post(path, {**typed(budget_kind="width", budget="16"), "preview": "1"}).content.decode()
    assert "Equal width is not equal size" in text


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"depth": "1"}, "depth", "expected several values of depth"),
        ({"depth": "one, two"}, "depth", "expected a whole number"),
        ({"budget": ""}, "budget", "expected a whole number, got None"),
        ({"budget": "90"}, "budget", "1 layer: expected 1 hidden layer within 1 % of 90"),
        ({"budget_kind": "weight"}, "budget", "expected one of parameters"),
        ({"learning_rates": ""}, "learning_rates", "a list of 1 to 20 rates"),
        ({"learning_rates": "0.1 .. 0.01 log"}, "learning_rates", "above 0.1, got 0.01"),
        ({"learning_rates": "fast"}, "learning_rates", "expected a number above 0"),
        ({"seeds": "1"}, "seeds", "at least 2 seeds"),
        ({"dataset": "digit"}, "dataset", "unknown dataset"),
        ({"metric": "val_rmse"}, "metric", "expected one of val_accuracy"),
        ({"margin": "-1"}, "margin", "above 0"),
        ({"name": ""}, "name", "1 to 100 printable characters"),
        ({"batch_size": "100000"}, "batch_size", "training rows"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(
    asker: Client, changes: dict[str, str], field: str, message: str
) -> None:
    found = asker.post(reverse("question-new", args=[build_project().slug]), typed(**changes))
    assert found.status_code == 400
    assert message in "; ".join(found.context["form"].errors[field])
    assert "Nothing was asked" in found.content.decode()
    assert not Question.objects.exists()


def test_an_empty_form_is_refused_and_explained(asker: Client) -> None:
    found = asker.post(reverse("question-new", args=[build_project().slug]), {"depth": ""})
    assert found.status_code == 400
    assert "Nothing was asked: please correct" in found.content.decode()


def test_the_form_can_be_filled_from_an_earlier_question(asker: Client) -> None:
    question = build_question(budget={"multiply_adds": 3034})
    text = text_of(asker, reverse("question-new", args=[question.project.slug]) + f"?from={question.pk}")
    assert 'value="3034"' in text
    assert 'value="0.001, 0.01, 0.1"' in text
    nobody = text_of(asker, reverse("question-new", args=[question.project.slug]) + "?from=999999,x")
    assert "This is a copy" not in nobody


def test_an_answer_shows_verdict_intervals_comparisons_and_what_may_be_wrong(asker: Client) -> None:
    question = answered()
    text = text_of(asker, question.get_absolute_url())
    assert "Verdict: clear" in text
    assert "deeper is better: 1 layer 1.0" in text
    assert "2 layers against 1 layer" in text
    assert "3 seeds give wide intervals" in text
    assert f"?sweep={question.tuning_id}" in text
    assert f"?sweep={question.confirmation_id}" in text
    assert 'id="answer"' in text
    assert 'id="tuning"' in text


def test_an_answer_and_a_list_cost_a_bounded_number_of_queries(
    asker: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    question = answered(depth=[1, 2, 3, 4])
    for _ in range(3):
        answered()
    with django_assert_max_num_queries(ANSWER_QUERIES):
        text_of(asker, question.get_absolute_url())
    with django_assert_max_num_queries(LIST_QUERIES):
        text = text_of(asker, reverse("project-questions", args=[question.project.slug]))
    assert text.count("At 2,035 parameters") == 4
    with django_assert_max_num_queries(NOW_QUERIES):
        text_of(asker, reverse("question-now", args=[question.project.slug, question.pk]))


def test_progress_is_told_until_the_answer_is_there(asker: Client) -> None:
    question = build_question()
    path = reverse("question-now", args=[question.project.slug, question.pk])
    text = text_of(asker, question.get_absolute_url())
    assert f'data-live-url="{path}"' in text
    assert "0 of 6 runs over" in text
    [seen] = re.findall(r'data-live-after="(\w+)"', text)
    assert "fragments" not in asker.get(path, {"after": seen}).json()
    end(question.tuning.runs.all()[0], 0.9)
    assert "no rate is chosen yet" in text_of(asker, question.get_absolute_url())
    tune(question)
    found = asker.get(path).json()
    assert "0 of 6 runs over" in found["fragments"]["question-now"]
    assert ([*found["replace"]], found["over"]) == (["tuning"], False)
    assert "is best" in found["fragments"]["tuning-summary"]
    assert asker.get(path, {"after": found["next"]}).json() == {"next": found["next"], "over": False}
    answer(question, best_at(0.01))
    found = asker.get(path, {"after": found["next"]}).json()
    assert ("Show the answer" in found["fragments"]["question-now"], found["over"]) == (True, True)
    assert {*found["replace"]} == {"answer", "tuning"}


def test_a_best_rate_at_the_edge_is_flagged_and_one_click_asks_again(asker: Client) -> None:
    question = build_question()
    tune(question, best_at(0.1))
    answer(question, best_at(0.1))
    text = text_of(asker, question.get_absolute_url())
    assert "may be confounded" in text
    assert "at the edge of what was tried" in text
    found = asker.post(reverse("question-widen", args=[question.project.slug, question.pk]))
    again = Question.objects.get(pk=question.pk + 1)
    assert found["Location"] == again.get_absolute_url()
    assert again.specification["learning_rates"] == [0.001, 0.01, 0.1, 1.0, 10.0]


def test_nothing_is_asked_again_where_no_edge_was_best(asker: Client) -> None:
    question = answered()
    asker.post(reverse("question-widen", args=[question.project.slug, question.pk]))
    assert Question.objects.count() == 1


def test_a_question_that_is_stopped_leaves_nothing_to_train(asker: Client) -> None:
    question = build_question()
    asker.post(reverse("question-stop", args=[question.project.slug, question.pk]))
    assert not Run.objects.not_over().exists()
    text = text_of(asker, question.get_absolute_url())
    assert "It ended without an answer" in text
    assert "stopped it." in text


def test_a_stopped_question_can_go_on_when_its_runs_were_retried(asker: Client) -> None:
    question = build_question()
    place = [question.project.slug, question.pk]
    asker.post(reverse("question-stop", args=place))
    asker.post(reverse("sweep-retry", args=[question.tuning_id]))
    assert question.tuning.runs.filter(status=Status.QUEUED).count() == 6
    asker.post(reverse("question-continue", args=place))
    tune(question)
    assert question.confirmation is not None


def test_only_what_is_over_can_be_deleted_and_its_runs_stay(asker: Client) -> None:
    question = build_question()
    Question.objects.update(created_by=asker.session["_auth_user_id"])
    delete = reverse("question-delete", args=[question.project.slug, question.pk])
    assert "stop the question first" in asker.post(delete, follow=True).content.decode()
    asker.post(reverse("question-stop", args=[question.project.slug, question.pk]))
    asker.post(delete)
    assert not Question.objects.exists()
    assert Run.objects.count() == 6


def test_who_has_no_right_is_told_which_one(client: Client) -> None:
    client.force_login(build_user())
    question = answered()
    assert client.get(question.get_absolute_url()).status_code == 200
    assert client.get(reverse("question-new", args=[question.project.slug])).status_code == 403
    for word in ("stop", "continue", "widen", "delete"):
        path = reverse(f"question-{word}", args=[question.project.slug, question.pk])
        assert client.post(path).status_code == 403, word
        assert client.get(path).status_code == 405, word


def test_a_question_of_another_project_is_not_found(asker: Client) -> None:
    question, other = build_question(), build_project()
    assert asker.get(reverse("question", args=[other.slug, question.pk])).status_code == 404
    assert asker.get(reverse("question", args=["nowhere", question.pk])).status_code == 404


def test_a_project_without_questions_says_what_one_is(asker: Client) -> None:
    assert "No question in this project yet" in text_of(
        asker, reverse("project-questions", args=[build_project().slug]) + "?page=x"
    )


def test_an_answer_whose_runs_are_gone_is_still_a_page(asker: Client) -> None:
    question = answered()
    assert question.confirmation is not None
    question.confirmation.delete()
    question.tuning.runs.all().delete()
    text = text_of(asker, question.get_absolute_url())
    assert "The runs that were to answer are gone" in text


def test_a_question_of_which_all_tuning_diverged_says_so(asker: Client) -> None:
    question = build_question()
    tune(question, lambda _: None)
    assert "Every learning rate diverged: ask again with smaller ones." in text_of(
        asker, question.get_absolute_url()
    )
