"""A problem refuses data that cannot be trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.engine.errors import ProblemError
from tests.engine.builders import build_problem

BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown task": ("binary", {"task": "ranking"}, "got 'ranking'"),
    "x without columns": ("binary", {"x_train": np.zeros(64)}, r"shape \(rows, inputs\), got \(64,\)"),
    "no rows": ("binary", {"x_val": np.zeros((0, 3)), "y_val": np.zeros(0)}, "at least one row in x_val"),
    "other columns": ("binary", {"x_val": np.zeros((64, 4))}, r"as in x_train \(3\), got 4"),
    "fewer targets": ("binary", {"y_train": np.zeros(63)}, r"shape \(64,\)"),
    "flat regression targets": ("regression", {"y_train": np.zeros(64)}, r"shape \(64, 2\)"),
    "NaN input": (
        "binary",
        {"x_train": np.full((64, 3), np.nan)},
        "finite numbers in x_train, got nan in row 0",
    ),
    "infinite target": ("regression", {"y_val": np.full((64, 2), np.inf)}, "y_val, got inf"),
    "text": ("binary", {"x_train": np.full((64, 3), "a")}, "expected numbers in x_train"),
    "label outside the classes": (
        "multiclass",
        {"y_train": np.full(64, 3)},
        "labels 0 to 2 in y_train, got 3",
    ),
    "negative label": ("multiclass", {"y_val": np.full(64, -1)}, "got -1"),
    "half a label": ("binary", {"y_train": np.full(64, 0.5)}, "labels 0 to 1 in y_train, got 0.5"),
    "two outputs for binary": ("binary", {"outputs": 2}, "use multiclass"),
    "no outputs": ("multiclass", {"outputs": 0}, "at least 1, got 0"),
    "other test columns": (
        "binary",
        {"x_test": np.zeros((5, 4)), "y_test": np.zeros(5)},
        r"columns in x_test as in x_train \(3\), got 4",
    ),
    "test rows without targets": ("binary", {"x_test": np.zeros((5, 3))}, "got only one of them"),
    "offset NaN": ("regression", {"target_offset": float("nan")}, "finite target_offset, got nan"),
    "scale NaN": ("regression", {"target_scale": float("nan")}, "target_scale above 0, got nan"),
}


@pytest.mark.parametrize(("task", "changes", "message"), BAD.values(), ids=BAD.keys())
def test_bad_data_is_refused(task: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        replace(build_problem(task), **changes)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass", "multilabel"])
def test_good_data_is_taken(task: str) -> None:
    assert build_problem(task).task == task
