"""Numbers that are not finite, or nearly not: what ends a run, how it is told, and what does not end it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Records
from nnlab.engine.tiers import make_trainer
from tests.engine.builders import build_problem, run
from tests.engine.test_training import TASKS

DIVERGING: dict[str, Any] = {"hidden_units": (8, 8), "optimizer": "sgd", "steps": 200}


@pytest.mark.parametrize("learning_rate", [1e4, 1e6])
def test_divergence_ends_the_run_and_names_the_first_bad_layer(tier: str, learning_rate: float) -> None:
    check_divergence(run(build_problem(), learning_rate=learning_rate, **DIVERGING))


def test_divergence_in_float64_ends_the_run_as_well() -> None:
    check_divergence(run(build_problem(), learning_rate=1e4, dtype="float64", **DIVERGING))


def check_divergence(records: Records) -> None:
    assert records.ended is Ending.DIVERGED
    found = records.nonfinite
    assert found is not None
    assert found.step == records.last_step < 200
    assert found.quantity in {"activations", "weights", "gradient", "loss"}
    assert found.last_finite_loss is not None
    assert found.last_finite_loss > 1e6
    assert np.isfinite(records.losses[:-1]).all()


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_bad_weight_is_found_in_its_layer(layer: int, tier: str) -> None:
    config = TrainingConfig(hidden_units=(4, 4), activation="tanh", batch_norm=True)
    trainer = make_trainer(config, build_problem(), tier)
    trainer.run_chunk(3)
    trainer.network.layers[layer].weight[0, 0] = np.nan
    records = trainer.run_chunk(5)
    assert records.nonfinite is not None
    assert (records.nonfinite.step, records.nonfinite.quantity, records.nonfinite.layer) == (
        4,
        "weights",
        layer,
    )
    assert len(records.losses) == 1


def test_activations_that_overflow_are_told_from_bad_weights(tier: str) -> None:
    trainer = make_trainer(TrainingConfig(hidden_units=(4, 4)), build_problem(), tier)
    trainer.network.layers[0].weight[:] = 1e30
    trainer.network.layers[1].weight[:] = 1e30
    records = trainer.run_chunk(5)
    assert records.nonfinite is not None
    assert (records.nonfinite.quantity, records.nonfinite.layer) == ("activations", 1)
    assert records.nonfinite.last_finite_loss is None


def test_a_gradient_that_overflows_is_told_from_the_loss(tier: str) -> None:
    trainer = make_trainer(TrainingConfig(hidden_units=(4,), optimizer="sgd"), build_problem(), tier)
    trainer.network.layers[1].weight[:] = 1e36
    records = trainer.run_chunk(5)
    assert records.nonfinite is not None
    assert (records.nonfinite.quantity, records.nonfinite.layer) == ("gradient", 0)
    assert np.isfinite(records.losses).all()


def test_weights_that_the_last_step_broke_end_the_run_as_diverged(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = build_problem("regression")
    monkeypatch.setattr("nnlab.engine.numpy_trainer.samples_norm", lambda step: False)
    records = run(problem, hidden_units=(), optimizer="sgd", learning_rate=1e300, steps=1)
    assert records.nonfinite is not None
    assert (records.nonfinite.quantity, records.nonfinite.step, records.ended) == (
        "weights",
        1,
        Ending.DIVERGED,
    )
    assert len(records.evaluations) == 1


def test_a_huge_finite_loss_goes_on(tier: str) -> None:
    config = TrainingConfig(hidden_units=(), optimizer="sgd", learning_rate=1e-9)
    trainer = make_trainer(config, build_problem(), tier)
    trainer.network.parameters[:] = 1e17
    records = trainer.run_chunk(3)
    assert records.ended is None
    assert (records.losses > 1e33).all()


def with_cell(problem: Problem, field: str, value: float) -> Problem:
    """Put a number into one cell of a problem's array, in float64."""
    values: dict[str, Any] = {field: np.array(getattr(problem, field), np.float64)}
    values[field][3, 0] = value
    return replace(problem, **values)


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize("task", TASKS)
def test_inputs_beyond_float32_end_the_run_at_the_first_layer(task: str) -> None:
    problem = with_cell(build_problem(task), "x_train", 1e300)
    records = run(problem, batch_size=64, steps=3)
    assert records.nonfinite is not None
    found = records.nonfinite
    assert (found.step, found.quantity, found.layer, found.last_finite_loss) == (1, "activations", 0, None)
    assert (records.ended, len(records.losses)) == (Ending.DIVERGED, 1)


@pytest.mark.usefixtures("tier")
def test_targets_beyond_float32_end_the_run_with_a_bad_loss() -> None:
    records = run(with_cell(build_problem(), "y_train", 1e300), batch_size=64, steps=3)
    assert records.nonfinite is not None
    found = records.nonfinite
    assert (found.step, found.quantity, found.layer) == (1, "loss", None)
    assert (records.ended, len(records.losses)) == (Ending.DIVERGED, 1)


@pytest.mark.usefixtures("tier")
def test_validation_rows_beyond_float32_spoil_the_metrics_and_not_the_training() -> None:
    spoilt = run(with_cell(build_problem(), "x_val", 1e300), steps=5)
    assert spoilt.ended is Ending.END
    assert not np.isfinite(spoilt.evaluations[-1].metrics["val_loss"])
    assert spoilt.losses.tobytes() == run(build_problem(), steps=5).losses.tobytes()


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_columns_are_learned_around(value: float, batch_norm: bool) -> None:
    problem = build_problem("binary", rows=200)
    problem.x_train[:, 1] = problem.x_val[:, 1] = value
    records = run(problem, batch_norm=batch_norm, epochs=10)
    assert np.isfinite(records.losses).all()
    assert records.losses[-5:].mean() < records.losses[:5].mean()


@pytest.mark.usefixtures("tier")
def test_one_class_alone_can_be_trained_on() -> None:
    problem = build_problem("multiclass")
    one = replace(problem, y_train=np.zeros(64, np.int64))
    records = run(one, class_weights=True, epochs=20)
    assert records.ended is Ending.END
    assert records.losses[-1] < 0.1
