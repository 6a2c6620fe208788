"""DataConfig: what it takes, and what it answers to mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError


def test_a_config_survives_plain_types() -> None:
    config = DataConfig(dataset="spiral", rows=300, noise=0.1, validation_share=0.5, split_seed=7)
    assert DataConfig.from_dict(config.to_dict()) == config
    assert list(config.to_dict()) == [
        "dataset", "recipe", "target", "task", "validation_share", "split_seed", "rows", "noise",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("validation_share", {"validation_share": 0.04}, "between 0.05 and 0.5, got 0.04"),
        ("validation_share", {"validation_share": 0.51}, "got 0.51"),
        ("validation_share", {"validation_share": float("nan")}, "got nan"),
        ("validation_share", {"validation_share": 10**400}, "between 0.05 and 0.5, got 1000"),
        ("validation_share", {"validation_share": "0.2"}, "got '0.2'"),
        ("validation_share", {"validation_share": True}, "got True"),
        ("split_seed", {"split_seed": -1}, "whole number"),
        ("split_seed", {"split_seed": 1.0}, "whole number"),
        ("split_seed", {"split_seed": True}, "whole number"),
        ("rows", {"dataset": "circle", "rows": 19}, "from 20 to 100,000"),
        ("rows", {"rows": 100}, "rows is for generated datasets"),
        ("noise", {"dataset": "circle", "noise": 0.6}, "between 0 and 0.5"),
        ("noise", {"noise": 0.1}, "noise is for generated datasets"),
        ("target", {"target": "species"}, "target is for CSV datasets"),
        ("task", {"task": "binary"}, "task is for CSV datasets"),
        ("task", {"dataset": "a.csv", "task": "ranking"}, "among auto, regression, binary, multiclass"),
        ("target", {"dataset": "a.csv", "target": ""}, "1 to 200 characters"),
        ("dataset", {"dataset": 3}, "text"),
        ("dataset", {"dataset": "x" * 201}, "1 to 200 characters"),
        ("recipe", {"recipe": None}, "text"),
        ("split_sed", {"split_sed": 1}, "did you mean 'split_seed'"),
    ],
)
def test_a_mistake_names_its_field(field: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        DataConfig.from_dict({"dataset": "iris", **values})
    assert caught.value.field == field


def test_a_dataset_is_required() -> None:
    with pytest.raises(DataError, match="expected a dataset"):
        DataConfig.from_dict({})
