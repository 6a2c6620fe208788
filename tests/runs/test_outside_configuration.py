"""What an outside run says of itself: columns that are filled, configurations that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from runs.outside.configuration import MAX_BYTES, checked, columns, merged
from runs.submitted.specification import SubmissionError

FULL = {
    "depth": 3,
    "width": 64,
    "activation": "ReLU",
    "dropout": 0.1,
    "optimizer": "Adam",
    "learning_rate": 0.01,
    "batch_size": 32,
    "seed": 2**62,
    "dataset": "MNIST",
    "parameters": 10**12,
    "steps": 1000,
}


def test_parameters_of_known_names_fill_the_columns() -> None:
    filled = columns(FULL)
    del filled["group"]
    wanted = {**FULL, "activation": "relu", "optimizer": "adam", "steps_requested": 1000}
    del wanted["steps"]
    assert filled == wanted


def test_nested_parameters_fill_the_columns_and_outer_ones_count_first() -> None:
    filled = columns({"model": {"depth": 2, "width": 8}, "optimizer": {"lr": 0.5}, "width": 16})
    assert (filled["depth"], filled["width"], filled["learning_rate"]) == (2, 16, 0.5)
    assert filled["optimizer"] == ""


def test_lr_is_a_learning_rate_where_none_is_given() -> None:
    assert columns({"lr": 0.1})["learning_rate"] == 0.1
    assert columns({"lr": 0.1, "learning_rate": 0.2})["learning_rate"] == 0.2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("depth", -1),
        ("depth", 2.5),
        ("depth", "three"),
        ("depth", True),
        ("depth", 2**31),
        ("width", [64, 32]),
        ("width", 0),
        ("dropout", 1.5),
        ("dropout", None),
        ("batch_size", 10**10),
        ("seed", 2**63),
        ("seed", 2**64 - 1),
        ("seed", 1e300),
        ("parameters", -1),
        ("learning_rate", "0.1"),
        ("activation", "a" * 101),
        ("optimizer", "o" * 21),
        ("optimizer", 7),
        ("dataset", ""),
    ],
)
def test_what_does_not_fit_a_column_is_left_to_the_configuration(name: str, value: Any) -> None:
    assert columns({name: value})[name] in {None, ""}


def test_a_whole_number_may_be_written_as_a_float() -> None:
    assert columns({"depth": 3.0})["depth"] == 3


def test_runs_that_differ_by_the_seed_only_are_one_group() -> None:
    def group(**config: Any) -> object:
        return columns(config)["group"]

    assert group(lr=1, seed=1) == group(seed=2, lr=1) == group(lr=1)
    assert group(a={"seed": 1, "b": 2}) == group(a={"b": 2})
    assert group(lr=1) != group(lr=2)
    assert len(str(group())) == 12


def test_merging_replaces_values_and_merges_tables() -> None:
    old = {"a": 1, "table": {"x": 1, "y": {"z": 1}}, "other": {"kept": 1}}
    new = {"a": 2, "table": {"y": {"w": 2}}, "other": 3, "more": [1]}
    assert merged(old, new) == {"a": 2, "table": {"x": 1, "y": {"z": 1, "w": 2}}, "other": 3, "more": [1]}
    assert old["table"] == {"x": 1, "y": {"z": 1}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"text": "a\x00b"}, "NUL"),
        ({"text": "\\\x00"}, "NUL"),
        ({"text": "x" * MAX_BYTES}, "bytes"),
        ({str(number): 1 for number in range(2000)}, "parameters"),
        ({"x" * 300: 1}, "250"),
    ],
)
def test_a_configuration_that_cannot_be_stored_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(SubmissionError, match=words) as refusal:
        checked(config)
    assert list(refusal.value.errors) == ["config"]


def test_a_text_that_spells_nul_is_none() -> None:
    config = {"pattern": "\\u0000"}
    assert checked(config) == config
