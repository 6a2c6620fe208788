"""Searches in a submission: what they expand to, and every fault beside its field."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from runs.submitted.networks import Limits
from runs.submitted.specification import Specification, SubmissionError, parse
from tests.runs.submissions import LIMITS, build_submission, parsed

RATES = {"low": 1e-4, "high": 0.1, "log": True}
SEARCH: dict[str, Any] = {"method": "random", "trials": 12, "space": {"learning_rate": RATES}}


def searched(**changes: Any) -> Specification:
    return parsed(search={**SEARCH, **changes})


def refusal(search: object, limits: Limits = LIMITS, **others: Any) -> dict[str, list[str]]:
    with pytest.raises(SubmissionError) as refused:
        parse(build_submission(search=search, **others), csv_folder=Path("/nowhere"), limits=limits)
    return refused.value.errors


@pytest.mark.parametrize("method", ["random", "latin_hypercube"])
def test_a_search_expands_to_its_trials_with_every_seed(method: str) -> None:
    spec = parsed(search={**SEARCH, "method": method}, seeds=[4, 7])
    assert [(run.trial, run.training.seed) for run in spec.runs] == [
        (trial, seed) for trial in range(12) for seed in (4, 7)
    ]
    rates = [run.training.learning_rate for run in spec.runs if run.training.seed == 4]
    assert [run.point["learning_rate"] for run in spec.runs if run.training.seed == 4] == rates
    assert len(set(rates)) == 12
    assert all(1e-4 <= rate <= 0.1 for rate in rates)
    assert spec.axes == ("learning_rate",)
    assert spec.all_runs == 24


def test_any_numeric_setting_is_searched_and_whole_ones_in_whole_numbers() -> None:
    space = {
        "depth": {"low": 0, "high": 3},
        "width": {"low": 4, "high": 64, "log": True},
        "dropout": {"low": 0, "high": 0.4, "step": 0.1},
        "batch_size": {"low": 8, "high": 32, "step": 8},
        "activation": ["relu", "tanh"],
        "batch_norm": [True, False],
    }
    runs = parsed(search={**SEARCH, "trials": 60, "space": space}).runs
    assert {len(run.training.hidden_units) for run in runs} == {0, 1, 2, 3}
    assert {run.training.batch_size for run in runs} == {8, 16, 24, 32}
    assert {run.training.activation for run in runs} == {"relu", "tanh"}
    assert len({run.training.dropout for run in runs}) == 5


def test_whole_networks_are_searched_by_choice() -> None:
    units = [[8], [8, 8], [16, 4]]
    training = {"depth": None, "width": None}
    mapping = build_submission(search={**SEARCH, "trials": 3, "space": {"hidden_units": units}})
    mapping["training"] = {key: value for key, value in mapping["training"].items() if key not in training}
    runs = parse(mapping, csv_folder=Path("/nowhere"), limits=LIMITS).runs
    assert {run.training.hidden_units for run in runs} == {(8,), (8, 8), (16, 4)}


@pytest.mark.parametrize(
    "search",
    [
        SEARCH,
        {**SEARCH, "method": "latin_hypercube", "seed": 9, "goal": "val_loss"},
        {**SEARCH, "method": "bayesian", "trials": 40, "parallel": 2},
        {**SEARCH, "halving": {"factor": 4, "first_steps": 2}},
        {
            **SEARCH,
            "halving": {"first_epochs": 1},
            "stop_rules": [
                {"metric": "val_loss", "above": 5, "after_step": 3},
                {"below": 0.1},
                {"median": True, "after_step": 2},
            ],
        },
    ],
)
def test_the_canonical_form_parses_to_the_same_runs(search: dict[str, Any]) -> None:
    spec = parsed(search=search, training={"steps": 50}, seeds=2)
    again = parse(spec.canonical, csv_folder=Path("/nowhere"), limits=LIMITS)
    assert again.runs == spec.runs
    assert again.search == spec.search
    assert again.canonical == spec.canonical


def test_a_grid_without_a_search_is_stored_as_ever() -> None:
    assert "search" not in parsed(grid={"width": [2, 4]}).canonical
    assert {run.trial for run in parsed(grid={"width": [2, 4]}).runs} == {None}


def test_a_grid_can_be_halved_and_its_points_are_the_trials() -> None:
    search = {"halving": {"first_steps": 2}}
    spec = parsed(grid={"width": [2, 4], "depth": [0, 1]}, search=search, seeds=2)
    assert [run.trial for run in spec.runs] == [0, 0, 1, 1, 2, 2]  # without layers no width counts
    assert spec.runs[2].point == {"width": 2, "depth": 1}


def test_a_bayesian_search_opens_with_a_part_and_plans_the_others_later() -> None:
    spec = searched(method="bayesian", trials=40)
    assert len(spec.runs) == 10
    assert spec.all_runs == 40
    (later,) = spec.further(10, {"learning_rate": 0.02}, LIMITS)
    assert (later.trial, later.training.learning_rate) == (10, 0.02)
    assert len(searched(method="bayesian", trials=5).runs) == 5
    with pytest.raises(SubmissionError, match="at most the 120 training rows, got 500"):
        spec.further(11, {"batch_size": 500}, LIMITS)


def test_what_is_searched_does_not_depend_on_how_often_it_is_parsed() -> None:
    assert searched().runs == searched().runs
    assert searched(seed=1).runs != searched().runs


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"method": "baysian"}, "search.method", "did you mean bayesian?"),
        ({"trails": 3}, "search", "unknown key 'trails'; did you mean trials?"),
        ({"trials": 0}, "search.trials", "from 1 to 100,000, got 0"),
        ({"trials": None}, "search.trials", "a whole number, got None"),
        ({"trials": 2.5}, "search.trials", "a whole number, got 2.5"),
        ({"seed": -1}, "search.seed", "from 0 to"),
        ({"parallel": 0}, "search.parallel", "from 1 to 1,000, got 0"),
        ({"space": {}}, "search.space", "at least one axis"),
        ({"space": None}, "search.space", "expected a table of settings, got None"),
        ({"space": {"learning_rate": 3}}, "learning_rate", "low and high, or a list of choices, got 3"),
        ({"space": {"learning_rate": {"low": 1}}}, "learning_rate", "a finite number as high, got None"),
        ({"space": {"learning_rate": {"low": 1, "high": math.nan}}}, "learning_rate", "as high, got nan"),
        ({"space": {"learning_rate": {**RATES, "low": 1}}}, "learning_rate", "low below high, got 1 and 0.1"),
        ({"space": {"learning_rate": {**RATES, "lag": 1}}}, "learning_rate", "unknown key 'lag' of a range"),
        ({"space": {"learning_rate": {**RATES, "log": 1}}}, "learning_rate", "true or false as log, got 1"),
        ({"space": {"learning_rate": {"low": 0, "high": 1}}}, "learning_rate", "above 0, got 0.0"),
        ({"trials": 2, "space": {"width": {"low": 0, "high": 8}}}, "width", "from 1 to 65,536, got 0"),
        ({"space": {"width": {"low": 2, "high": 8.5}}}, "width", "whole bounds, got 2 and 8.5"),
        ({"space": {"activation": {"low": 0, "high": 8}}}, "activation", "a list of choices, got a range"),
        ({"trials": 2, "space": {"activation": ["relu", "rleu"]}}, "activation", "did you mean relu?"),
        ({"space": {"activation": []}}, "activation", "at least one choice"),
        ({"space": {"batch_size": {"low": 8, "high": 500}}}, "batch_size", "at most the 120 training rows"),
        ({"space": {"lerning_rate": RATES}}, "lerning_rate", "did you mean learning_rate?"),
        ({"trials": 5, "space": {"width": {"low": 1, "high": 4}}}, "search.trials", "at most 4, as many"),
        ({"goal": "val_rmse"}, "search.goal", "one of val_accuracy, val_loss on this data, got 'val_rmse'"),
        ({"goal": 3}, "search.goal", "the name of a metric, got 3"),
        ({"halving": {"factor": 3}}, "search.halving", "one of first_epochs and first_steps, got factor"),
        ({"halving": {"first_steps": 1, "facto": 2}}, "search.halving", "expected factor and one of"),
        ({"halving": {"first_steps": 1, "factor": 1}}, "search.halving", "factor: expected a whole number"),
        ({"halving": {"first_steps": 5}}, "search.halving", "before the end of a run, of 5 steps"),
        ({"stop_rules": {"above": 5}}, "search.stop_rules", "expected a list of at most 10"),
        ({"stop_rules": [{"abov": 5}]}, "search.stop_rules", "rule 1: unknown key 'abov'"),
        ({"stop_rules": [{"metric": "val_loss"}]}, "search.stop_rules", "rule 1: expected above or below"),
        ({"stop_rules": [{"above": math.inf}]}, "search.stop_rules", "a finite number as bound, got inf"),
        ({"stop_rules": [{"metric": "loss", "above": 5}]}, "search.stop_rules", "got 'loss'"),
        ({"stop_rules": [{"median": True}]}, "search.stop_rules", "after_step: expected a whole number"),
        ({"stop_rules": [{"median": True, "after_step": 1}] * 2}, "search.stop_rules", "one median rule"),
        ({"stop_rules": [{"median": True, "above": 3}]}, "search.stop_rules", "with after_step alone"),
    ],
)
def test_a_bad_search_is_refused_beside_what_is_wrong(
    changes: dict[str, Any], field: str, message: str
) -> None:
    errors = refusal({**SEARCH, **changes})
    assert errors.keys() == {field}
    assert message in errors[field][0]
    assert len(errors[field]) == 1


def test_a_search_is_a_table_and_a_grid_needs_no_trials() -> None:
    assert "expected a table of settings, got 'random'" in refusal("random")["search"][0]
    assert "only for other methods than grid" in refusal({"trials": 3})["search.trials"][0]


def test_axes_stand_in_one_place() -> None:
    assert "axes in search.space, got a grid as well" in refusal(SEARCH, grid={"width": [1, 2]})["grid"][0]


def test_the_bound_on_runs_counts_the_trials_that_come_later() -> None:
    search = {**SEARCH, "method": "bayesian", "trials": 40}
    errors = refusal(search, Limits(runs=100, steps=1000), seeds=3)
    assert errors == {
        "search.trials": [
            "search.trials: expected at most 100 runs, got 120 (40 trials x 3 seeds); try fewer trials"
        ]
    }


def test_all_that_is_wrong_with_a_search_is_told_at_once() -> None:
    errors = refusal({**SEARCH, "trials": 0, "seed": "x", "halving": {}, "space": {"learning_rate": 1}})
    assert errors.keys() == {"search.trials", "search.seed", "search.halving", "learning_rate"}


def test_the_example_of_the_manual_is_accepted() -> None:
    text = (Path(__file__).parents[2] / "docs" / "searches.md").read_text(encoding="utf-8")
    example = tomllib.loads(text.partition("```toml")[2].partition("```")[0])
    spec = parse(example, csv_folder=Path("/nowhere"), limits=LIMITS)
    assert (len(spec.runs), spec.all_runs) == (16, 48)
    assert spec.search is not None
    assert len(spec.search.rules) == 2
