"""Test rows are measured once, at the end, and change nothing else; logarithms are undone for metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.engine.checkpoints import fingerprint
from nnlab.engine.config import TrainingConfig
from nnlab.engine.metrics import baseline_metric
from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Records
from nnlab.engine.training import describe
from tests.engine.builders import build_problem, run
from tests.engine.device_backends import build_population, collect, on_every_backend

TASKS = ("regression", "binary", "multiclass", "multilabel")
SETTINGS: dict[str, dict[str, Any]] = {
    "native": {"hidden_units": (6,)},
    "numpy": {"hidden_units": (6,), "dtype": "float64"},
    "batch norm": {"hidden_units": (6,), "batch_norm": True},
    "early stopping": {"early_stopping_epochs": 1, "learning_rate": 0.3, "epochs": 40},
}


def with_test(problem: Problem) -> Problem:
    """Test on the rows that validate, so that both must score alike."""
    return replace(problem, x_test=problem.x_val, y_test=problem.y_val)


def scores(records: Records, part: str) -> dict[str, float]:
    found = records.evaluations[-1].metrics.items()
    return {name.removeprefix(part): value for name, value in found if name.startswith(part)}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_run_that_ends_is_measured_on_the_test_rows(task: str, settings: dict[str, Any]) -> None:
    found = run(with_test(build_problem(task)), **{"epochs": 3, "batch_size": 16, **settings})
    assert scores(found, "test_") == pytest.approx(scores(found, "val_"), rel=1e-5)
    assert "test_loss" in found.evaluations[-1].metrics
    assert not any(scores_before for scores_before in map(_tests, found.evaluations[:-1]))


def _tests(evaluation: Any) -> list[str]:
    return [name for name in evaluation.metrics if name.startswith("test_")]


def test_test_rows_change_nothing_else() -> None:
    plain = build_problem("regression")
    other = replace(with_test(plain), x_test=plain.x_val[:7] * 9, y_test=plain.y_val[:7] - 5)
    config = {"epochs": 40, "early_stopping_epochs": 1, "learning_rate": 0.3, "batch_size": 16}
    before, after = run(plain, **config), run(other, **config)
    assert before.losses.tobytes() == after.losses.tobytes()
    assert before.ended is after.ended is Ending.EARLY_STOP
    assert [found.metrics for found in before.evaluations[:-1]] == [
        found.metrics for found in after.evaluations[:-1]
    ]
    assert scores(before, "val_") == scores(after, "val_")


@on_every_backend
def test_members_on_a_device_are_tested_each_with_its_own_network(name: str) -> None:
    base = TrainingConfig(hidden_units=(6,), batch_size=16, steps=40, learning_rate=0.3)
    configs = [
        replace(base, seed=seed, early_stopping_epochs=1 if seed else None, steps=40 + 8 * seed)
        for seed in range(3)
    ]
    for problem in (with_test(build_problem("regression")), with_test(logged(build_problem("regression")))):
        for told in collect(build_population(configs, problem, name)).values():
            assert scores(told, "test_") == pytest.approx(scores(told, "val_"), rel=1e-5)
            assert scores(told, "test_")


def logged(problem: Problem, scale: float = 0.5, offset: float = 2.0) -> Problem:
    """Take the targets for logarithms that were standardised."""
    return replace(problem, target_is_log=True, target_scale=scale, target_offset=offset)


def test_errors_of_a_logarithm_are_told_in_the_targets_own_unit() -> None:
    problem = logged(build_problem("regression"))
    constant = replace(problem, x_train=np.zeros_like(problem.x_train), x_val=np.zeros_like(problem.x_val))
    found = run(constant, hidden_units=(), steps=1, batch_size=16, dtype="float64", learning_rate=1e-12)
    own = np.expm1(problem.y_val.astype(float) * 0.5 + 2.0)
    errors = np.expm1(2.0) - own  # untrained and without inputs, the answer is 0
    metrics = found.evaluations[0].metrics
    assert metrics["val_rmse"] == pytest.approx(np.sqrt(np.square(errors).mean()))
    assert metrics["val_mae"] == pytest.approx(np.abs(errors).mean())
    r2 = 1 - np.square(errors).sum(axis=0) / np.square(own - own.mean(axis=0)).sum(axis=0)
    assert metrics["val_r2"] == pytest.approx(r2.mean())
    assert metrics["val_loss"] == pytest.approx(np.square(problem.y_val.astype(float)).mean())


def test_the_baseline_of_a_logarithm_is_the_mean_in_the_targets_own_unit() -> None:
    problem = logged(build_problem("regression"))
    train, held_back = (np.expm1(y.astype(float) * 0.5 + 2.0) for y in (problem.y_train, problem.y_val))
    expected = np.sqrt(np.square(held_back - train.mean(axis=0)).mean())
    assert baseline_metric(problem) == pytest.approx(expected)


def test_test_rows_and_logarithms_are_part_of_what_a_checkpoint_belongs_to() -> None:
    plain = build_problem("regression")
    others = [plain, with_test(plain), logged(plain), logged(plain, offset=3.0)]
    assert len({fingerprint(problem) for problem in others}) == len(others)
    assert describe(TrainingConfig(), with_test(plain)).test_rows == len(plain.x_val)
