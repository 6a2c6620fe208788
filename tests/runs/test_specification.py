"""Specifications: what is refused and how it is said, and what a good one expands to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnlab.engine.config import TrainingConfig
from runs.submitted.networks import Limits
from runs.submitted.specification import SubmissionError, group_of, parse
from tests.runs.submissions import BAD, LIMITS, build_submission, parsed

NO_SLUG = "a project without letters"  # is for runs.submission to refuse


def refusal(mapping: Any, limits: Limits = LIMITS) -> dict[str, list[str]]:
    with pytest.raises(SubmissionError) as refused:
        parse(mapping, csv_folder=Path("/nowhere"), limits=limits)
    return refused.value.errors


@pytest.mark.parametrize("name", [name for name in BAD if name != NO_SLUG])
def test_a_bad_submission_is_refused_beside_the_field_that_is_wrong(name: str) -> None:
    bad = BAD[name]
    errors = refusal(bad.mapping)
    assert errors.keys() == bad.messages.keys()
    for field, part in bad.messages.items():
        assert part in errors[field][0]
        assert len(errors[field]) == 1


@pytest.mark.parametrize("mapping", ["text", ["list"], None, 3])
def test_a_submission_is_a_table(mapping: object) -> None:
    assert "expected a table of settings" in refusal(mapping)["specification"][0]


def test_the_error_reads_as_all_its_messages() -> None:
    with pytest.raises(SubmissionError, match=r"seeds: .*; learning_rate: "):
        parsed(seeds=0, training={"learning_rate": 0})


def test_a_fault_of_many_points_of_the_grid_is_told_once() -> None:
    errors = refusal(build_submission(training={"l1": -1}, grid={"depth": [1, 2, 3], "width": [4, 0]}))
    assert errors.keys() == {"l1", "width"}
    assert [len(messages) for messages in errors.values()] == [1, 1]


def test_an_unknown_dataset_does_not_hide_the_networks_faults() -> None:
    errors = refusal(build_submission(data={"dataset": "irs"}, training={"activation": "rleu"}))
    assert errors.keys() == {"dataset", "activation"}


def test_the_bound_on_runs_counts_the_seeds_even_without_a_grid() -> None:
    assert len(parsed(seeds=3).runs) == 3
    assert "got 3 (3 seeds)" in refusal(build_submission(seeds=3), Limits(runs=2, steps=100))["grid"][0]


def test_the_largest_sweep_allowed_is_expanded() -> None:
    assert len(parsed(grid={"width": list(range(1, 1001))}).runs) == 1000


def test_a_grid_expands_to_every_combination_with_every_seed() -> None:
    spec = parsed(grid={"depth": [1, 2], "activation": ["relu", "tanh"]}, seeds=[5, 9])
    found = [(run.training.hidden_units, run.training.activation, run.training.seed) for run in spec.runs]
    assert found == [
        (layers, activation, seed)
        for layers in [(4,), (4, 4)]
        for activation in ["relu", "tanh"]
        for seed in [5, 9]
    ]


def test_a_number_of_seeds_means_the_first_ones() -> None:
    assert [run.training.seed for run in parsed(seeds=3).runs] == [0, 1, 2]


def test_a_seed_given_twice_counts_once() -> None:
    assert parsed(seeds=[4, 4, 1]).seeds == (4, 1)


def test_a_network_that_two_points_describe_alike_is_trained_once() -> None:
    spec = parsed(grid={"depth": [0, 1], "width": [4, 8]})
    assert [run.training.hidden_units for run in spec.runs] == [(), (4,), (8,)]


def test_values_of_the_grid_win_over_fixed_ones() -> None:
    assert [run.training.hidden_units for run in parsed(grid={"width": [7]}).runs] == [(7,)]


def test_hidden_units_may_be_an_axis() -> None:
    spec = parse(
        {**build_submission(), "training": {"steps": 5}, "grid": {"hidden_units": [[8, 4], [], [3]]}},
        csv_folder=Path("/nowhere"),
        limits=LIMITS,
    )
    assert [run.training.hidden_units for run in spec.runs] == [(8, 4), (), (3,)]


def test_steps_and_parameters_are_known_before_a_run_is_stored() -> None:
    run = parsed(training={"steps": None, "epochs": 3, "batch_size": 32}).runs[0]
    assert (run.steps, run.parameters) == (3 * (120 // 32), 4 * 4 + 4 + 4 * 3 + 3)


def test_names_are_stored_without_blanks_around_them() -> None:
    spec = parsed(project="  Iris ", name=" One ")
    assert (spec.project, spec.name) == ("Iris", "One")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seeds": [3, 1], "grid": {"depth": [0, 2], "dropout": [0.0, 0.5]}},
        {"data": {"recipe": "raw", "validation_share": 0.3, "split_seed": 4}, "seeds": 2},
        {"grid": {"activation": ["relu", "elu"], "learning_rate": [0.1, 1e-5]}},
    ],
)
def test_the_canonical_form_parses_to_the_same_runs(changes: dict[str, Any]) -> None:
    spec = parsed(**changes)
    again = parse(spec.canonical, csv_folder=Path("/nowhere"), limits=LIMITS)
    assert again.runs == spec.runs
    assert again.canonical == spec.canonical


def test_a_group_is_the_same_for_all_seeds_and_different_for_every_configuration() -> None:
    spec = parsed(grid={"depth": [1, 2], "dropout": [0.0, 0.1], "learning_rate": [0.1, 0.2]}, seeds=3)
    groups: dict[str, set[TrainingConfig]] = {}
    for run in spec.runs:
        groups.setdefault(run.group, set()).add(replace(run.training, seed=0))
    assert len(groups) == 8
    assert all(len(configs) == 1 for configs in groups.values())


def test_a_group_depends_on_the_data() -> None:
    assert parsed().runs[0].group != parsed(data={"split_seed": 1}).runs[0].group
    assert parsed().runs[0].group != parsed(data={"recipe": "raw"}).runs[0].group


def test_a_group_can_be_named_from_the_stored_configuration() -> None:
    spec = parsed(seeds=[5])
    stored = TrainingConfig.from_dict(spec.runs[0].training.to_dict())
    assert group_of(spec.data, stored) == spec.runs[0].group
