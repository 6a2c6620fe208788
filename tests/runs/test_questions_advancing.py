"""Questions go on: once, from the rows alone, with the rates that were best, and only after all tuning."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from runs import submission
from runs.models import Question, Run, Status, Sweep
from runs.questions import advancing
from runs.questions.outcomes import outcomes
from tests.runs.questions import best_at, build_question, end, tune

pytestmark = pytest.mark.django_db


def test_nothing_is_answered_while_a_run_of_any_cell_tunes() -> None:
    question = build_question()
    *others, last = question.tuning.runs.order_by("pk")
    for run in others:
        end(run, 0.5)
    assert advancing.answer_all() == 0
    end(last, 0.5)
    assert advancing.answer_all() == 1


def test_the_best_rate_of_each_cell_answers_with_fresh_seeds() -> None:
    question = build_question()
    tune(question, lambda run: 0.9 if run.learning_rate == {1: 0.1, 2: 0.01}[run.depth or 0] else 0.5)
    assert question.confirmation is not None
    runs = question.confirmation.runs.values_list("depth", "learning_rate", "seed")
    assert sorted(runs) == [(1, 0.1, 1), (1, 0.1, 2), (1, 0.1, 3), (2, 0.01, 1), (2, 0.01, 2), (2, 0.01, 3)]
    assert question.confirmation.name == "Is deeper better?: fresh seeds"
    assert question.confirmation.project == question.project


def test_a_question_is_answered_once_however_often_it_is_asked() -> None:
    question = build_question()
    tune(question)
    assert [advancing.go_on(question), advancing.answer_all()] == [False, 0]
    assert Sweep.objects.count() == 2


def test_a_question_that_breaks_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = build_question(), build_question()
    for run in Run.objects.all():
        end(run, 0.5)

    def read_but_one(question: Question) -> Any:
        if question.pk == broken.pk:
            raise ZeroDivisionError
        return outcomes(question)

    monkeypatch.setattr(advancing, "outcomes", read_but_one)
    assert advancing.answer_all() == 1
    whole.refresh_from_db()
    assert whole.confirmation is not None


def test_a_crash_between_closing_and_storing_leaves_a_question_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    question = build_question()
    for run in question.tuning.runs.all():
        end(run, 0.5)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(submission, "write_params_of", killed)
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            advancing.answer_all()
    question.refresh_from_db()
    assert (question.closed_at, question.confirmation, Sweep.objects.count()) == (None, None, 1)
    assert advancing.answer_all() == 1


def test_a_run_that_is_retried_while_the_question_goes_on_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    question = build_question()
    for run in question.tuning.runs.all():
        end(run, 0.5)

    def retried(asked: Question) -> Any:
        found = outcomes(asked)
        Run.objects.filter(pk=run.pk).update(status=Status.QUEUED, ended_at=None, started_at=None)
        return found

    monkeypatch.setattr(advancing, "outcomes", retried)
    assert advancing.answer_all() == 0
    question.refresh_from_db()
    assert question.closed_at is None


def test_a_rate_at_which_a_seed_diverged_is_worse_than_any_other() -> None:
    question = build_question(tuning_seeds=2)
    tune(question, _unlucky)
    assert {one.tuned.best for one in outcomes(question)} == {0.001}


def _unlucky(run: Run) -> float | None:
    if run.learning_rate == 0.1:
        return 0.99 if run.seed else None
    return 0.6 if run.learning_rate == 0.001 else 0.5


def test_equal_scores_are_told_apart_by_the_loss() -> None:
    question = build_question()
    for run in question.tuning.runs.all():
        end(run, 0.9, loss=0.1 if run.learning_rate == 0.1 else 0.2)
    assert [one.tuned.best for one in outcomes(question)] == [0.1, 0.1]
    assert [one.tuned.is_flat for one in outcomes(question)] == [True, True]


def test_a_lower_loss_is_better() -> None:
    question = build_question(metric="val_loss")
    for run in question.tuning.runs.all():
        end(run, 0.9, loss=run.learning_rate or 0.0)
    assert [one.tuned.best for one in outcomes(question)] == [0.001, 0.001]
    assert [one.tuned.is_at_edge for one in outcomes(question)] == [True, True]


def test_a_cell_that_always_diverges_is_left_out_and_two_are_still_compared() -> None:
    question = build_question(depth=[1, 2, 3])
    tune(question, lambda run: None if run.depth == 3 else 0.5)
    assert question.confirmation is not None
    assert set(question.confirmation.runs.values_list("depth", flat=True)) == {1, 2}


def test_a_question_of_which_all_diverged_ends_and_says_why() -> None:
    question = build_question()
    tune(question, lambda _: None)
    assert question.confirmation is None
    assert "Every learning rate diverged" in question.error


def test_tuning_that_was_cut_short_is_no_fair_comparison_until_it_is_made_up_for() -> None:
    question = build_question()
    cut = question.tuning.runs.filter(depth=2, learning_rate=0.01)
    for run in question.tuning.runs.exclude(pk__in=cut):
        end(run, 0.5)
    cut.update(status=Status.CANCELLED, ended_at=timezone.now())
    assert advancing.answer_all() == 0
    question.refresh_from_db()
    assert "the rate 0.01 has no result for 2 layers" in question.error
    assert advancing.answer_all() == 0  # it was closed
    for run in cut:
        end(run, 0.9)
    assert advancing.reopen(question)
    assert advancing.answer_all() == 1


def test_a_question_that_somebody_closed_starts_nothing_more() -> None:
    question = build_question()
    assert advancing.close(question, "Stopped.")
    tune(question)
    assert (question.confirmation, question.error) == (None, "Stopped.")
    assert not advancing.close(question, "again")


def test_an_answer_that_finds_no_room_waits_for_it(settings: Any) -> None:
    question = build_question()
    settings.PROJECT_MAX_QUEUED = 5
    tune(question)
    assert (question.closed_at, question.error) == (None, "")
    settings.PROJECT_MAX_QUEUED = 6
    assert advancing.answer_all() == 1


def test_what_can_no_longer_be_trained_ends_a_question(settings: Any) -> None:
    question = build_question()
    settings.MAX_STEPS_PER_RUN = 1
    tune(question)
    assert "at most 1 steps a run" in question.error


def test_a_project_that_was_renamed_keeps_its_questions() -> None:
    question = build_question()
    question.project.name = "Something else"
    question.project.save()
    tune(question)
    assert question.confirmation is not None
    assert question.confirmation.project == question.project


def test_questions_of_given_runs_go_on_and_no_others() -> None:
    mine, other = build_question(), build_question()
    for question in (mine, other):
        for run in question.tuning.runs.all():
            end(run, best_at(0.01)(run))
    assert advancing.answer_for([run.pk for run in mine.tuning.runs.all()[:1]]) == 1
    other.refresh_from_db()
    assert other.closed_at is None


def test_the_database_refuses_an_open_question_with_an_answer() -> None:
    question = build_question()
    tune(question)
    with pytest.raises(IntegrityError, match="question_with_confirmation_is_closed"), transaction.atomic():
        Question.objects.filter(pk=question.pk).update(closed_at=None)
