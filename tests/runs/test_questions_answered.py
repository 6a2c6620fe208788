"""A question at every stage, and one that is asked again with a wider range of rates."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from runs.models import Run
from runs.questions import asking
from runs.questions.answering import Stage, answer, answers
from runs.questions.verdicts import Kind
from runs.questions.widening import widened
from tests.runs import questions
from tests.runs.questions import best_at, build_question, tune

pytestmark = pytest.mark.django_db


def by_depth(run: Run) -> float:
    return 0.9 + (0.01 + 0.0001 * ((run.seed or 0) % 3)) * (run.depth or 0)


def test_a_question_is_told_at_every_stage_and_judged_at_the_last() -> None:
    question = build_question()
    found = answer(question)
    assert (found.stage, found.tuning, found.answering) == (Stage.TUNING, (0, 6), (0, 0))
    tune(question)
    found = answer(question)
    assert (found.stage, found.tuning, found.answering) == (Stage.ANSWERING, (6, 6), (0, 6))
    assert question.confirmation is not None
    first = question.confirmation.runs.all()[0]
    questions.end(first, 0.9)
    assert answer(question).answering == (1, 6)
    assert answer(question).verdict is None
    questions.answer(question, by_depth)
    found = answer(question)
    assert (found.stage, found.is_over) == (Stage.ANSWERED, True)
    assert found.verdict is not None
    assert found.verdict.best == "2 layers"
    assert found.verdict.sentence.startswith("At 2,035 parameters ±0.")
    assert "rate tuned over 3 values per network" in found.verdict.sentence


def test_runs_in_the_trash_do_not_count() -> None:
    question = build_question()
    tune(question)
    questions.answer(question, by_depth)
    assert question.confirmation is not None
    question.confirmation.runs.update(deleted_at=question.created_at)
    found = answer(question).verdict
    assert found is not None
    assert found.kind is Kind.UNKNOWN


def test_many_questions_are_read_at_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    several = [build_question() for _ in range(3)]
    with django_assert_num_queries(1):
        assert [found.question for found in answers(several)] == several


def test_a_wider_range_reaches_beyond_the_edge_that_was_best_and_no_seed_was_seen_before() -> None:
    question = build_question()
    tune(question, best_at(0.1))
    found = answer(question)
    assert found.at_edge
    again = asking.parse(widened(question, found.cells)).read
    assert again.learning_rates == (0.001, 0.01, 0.1, 1.0, 10.0)
    assert again.tuning_seeds == (0,)
    assert again.seeds == (4, 5, 6)
    assert again.name == "Is deeper better?, wider"


def test_a_range_is_widened_at_both_ends_where_both_were_best() -> None:
    question = build_question()
    tune(question, lambda run: 0.9 if run.learning_rate == {1: 0.001, 2: 0.1}[run.depth or 0] else 0.5)
    rates = asking.parse(widened(question, answer(question).cells)).read.learning_rates
    assert rates == (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


def test_a_rate_within_the_range_asks_for_no_wider_one() -> None:
    question = build_question()
    tune(question)
    assert not answer(question).at_edge
