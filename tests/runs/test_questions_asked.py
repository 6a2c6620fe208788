"""Questions as they are asked: networks of one size, a stated budget of tuning, and all that can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Question, Run, Sweep
from runs.questions import asking
from runs.submitted.specification import SubmissionError
from tests.runs.questions import RATES, build_asked, build_question

pytestmark = pytest.mark.django_db

BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing to compare": ({"depth": [2]}, "depth", "expected several values of depth"),
    "too many networks": ({"depth": list(range(1, 14))}, "depth", "at most 12 networks to compare, got 13"),
    "no layer": ({"depth": [0, 1]}, "depth", "from 1 to 64, got 0"),
    "an unknown activation": ({"activation": ["relu", "rleu"]}, "activation", "did you mean relu?"),
    "everything dropped": ({"dropout": [0.0, 1.0]}, "dropout", "below 1, got 1"),
    "no budget": ({"budget": None}, "budget", "expected a table of settings, got None"),
    "two budgets": ({"budget": {"parameters": 5, "width": 5}}, "budget", "expected one of parameters"),
    "a budget of nothing": ({"budget": {"parameters": 0}}, "budget", "from 1 to 50,000,000, got 0"),
    "a budget that no network meets": ({"budget": {"parameters": 100}}, "budget", "1 layer: expected 1"),
    "half a parameter": ({"budget": {"parameters": 0.5}}, "budget", "expected a whole number"),
    "no rate": ({"learning_rates": []}, "learning_rates", "a list of 1 to 20 rates"),
    "a rate that is none": ({"learning_rates": [0.1, 0]}, "learning_rates", "above 0, got 0"),
    "a range upside down": (
        {"learning_rates": {"low": 1, "high": 0.1, "values": 5}}, "learning_rates", "above 1, got 0.1",
    ),
    "a range without a number": ({"learning_rates": {"low": 1, "high": 2}}, "learning_rates", "values, got"),
    "a single seed": ({"seeds": 1}, "seeds", "at least 2 seeds, got 1"),
    "seeds that were tuned on": ({"tuning_seeds": [0, 1], "seeds": [1, 2]}, "seeds", "is tuned on, got 1"),
    "no tuning seed": ({"tuning_seeds": 0}, "tuning_seeds", "1 to 1000 seeds, got 0"),
    "a metric of another task": ({"metric": "val_rmse"}, "metric", "one of val_accuracy, val_loss"),
    "no margin": ({"margin": 0}, "margin", "above 0, got 0"),
    "a width of its own": ({"training": {"width": 5}}, "training", "width is what a question chooses itself"),
    "an unknown setting": ({"training": {"lerning": 5}}, "lerning", "lerning"),
    "an unknown dataset": ({"data": {"dataset": "digit"}}, "dataset", "unknown dataset 'digit'"),
    "an unknown key": ({"width": [5]}, "width", "unknown key 'width'"),
    "a long name": ({"name": "n" * 81}, "name", "at most 80 characters, got 81"),
    "a million runs": (
        {"seeds": 1000, "tuning_seeds": 1000}, "tuning_seeds",
        "got 6,000 (2 networks x 3 learning rates x 1000 seeds)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_asked_is_refused_beside_its_field(name: str) -> None:
    changes, field, message = BAD[name]
    with pytest.raises(SubmissionError) as refused:
        asking.parse(build_asked(**changes))
    assert message in "; ".join(refused.value.errors[field])
    assert not Sweep.objects.exists()


def test_networks_have_the_parameters_that_were_asked_for() -> None:
    asked = asking.parse(build_asked(depth=[1, 2, 4], budget={"parameters": 5000}))
    assert [cell.hidden_units for cell in asked.cells] == [(67,), (42, 42), (30, 30, 30, 30)]
    assert all(abs(cell.deviation or 0.0) <= 0.0101 for cell in asked.cells)
    for cell in asked.cells:
        assert {run.parameters for run in asked.tuning[cell.label].runs} == {cell.parameters}


def test_networks_can_be_of_equal_work_instead() -> None:
    asked = asking.parse(build_asked(budget={"multiply_adds": 5000}))
    assert all(abs(cell.multiply_adds - 5000) <= 50 for cell in asked.cells)
    assert asked.cells[0].parameters > asked.cells[0].multiply_adds


def test_equal_widths_are_no_equal_size() -> None:
    asked = asking.parse(build_asked(budget={"width": 16}))
    assert [cell.hidden_units for cell in asked.cells] == [(16,), (16, 16)]
    assert {cell.deviation for cell in asked.cells} == {None}


def test_two_factors_are_crossed_and_every_cell_named_by_both() -> None:
    asked = asking.parse(build_asked(activation=["relu", "prelu"], budget={"parameters": 5000}))
    assert [cell.label for cell in asked.cells] == [
        "1 layer, relu", "1 layer, prelu", "2 layers, relu", "2 layers, prelu",
    ]  # fmt: skip
    one, learned = asked.cells[:2]
    assert one.hidden_units != learned.hidden_units  # slopes count


def test_a_range_of_rates_is_even_in_the_logarithm() -> None:
    asked = asking.parse(build_asked(learning_rates={"low": 0.001, "high": 0.1, "values": 5}))
    assert asked.read.learning_rates == (0.001, 0.00316, 0.01, 0.0316, 0.1)


def test_every_cell_tunes_as_much_and_no_seed_answers_that_was_tuned_on() -> None:
    question = build_question(tuning_seeds=2, seeds=3)
    runs = question.tuning.runs.all()
    for depth in (1, 2):
        found = {(run.learning_rate, run.seed) for run in runs if run.depth == depth}
        assert found == {(rate, seed) for rate in RATES for seed in (0, 1)}
    assert question.specification["seeds"] == [2, 3, 4]
    assert question.tuning.name == "Is deeper better?: tuning"


def test_asking_what_was_stored_gives_the_same_question() -> None:
    question = build_question(margin=0.02, metric="val_loss", job={"priority": 3})
    again = asking.parse(question.specification)
    assert again.read.canonical == question.specification
    assert [cell.to_dict() for cell in again.cells] == [
        {**cell, "hidden_units": tuple(cell["hidden_units"])} for cell in question.cells
    ]


def test_what_is_told_of_the_cost_is_of_all_runs() -> None:
    asked = asking.parse(build_asked(tuning_seeds=2, seeds=3))
    assert asked.runs == (12, 6)
    assert len(asked.all_runs.runs) == asked.all_runs.all_runs == 18


def test_nothing_is_left_of_a_question_whose_runs_cannot_wait(settings: Any) -> None:
    settings.PROJECT_MAX_QUEUED = 5
    with pytest.raises(SubmissionError, match="at most 5 waiting runs"):
        build_question()
    assert not Question.objects.exists()
    assert not Run.objects.exists()
