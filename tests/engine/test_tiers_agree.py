"""The native tier against the NumPy tier: the same losses, norms, parameters, evaluations and samples."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnlab.engine.config import NATIVE_ACTIVATIONS, OPTIMIZERS, SCHEDULES, TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Evaluation, Records, Sample
from nnlab.engine.tiers import make_trainer
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem
from tests.engine.native import needs_native

pytestmark = needs_native

STEPS = 60
BASE: dict[str, Any] = {"hidden_units": (7, 20), "batch_size": 12, "steps": STEPS, "learning_rate": 0.01}
# Every loss of every task, with every output activation that it allows.
HEADS: list[tuple[str, str, str]] = [
    *product(["regression"], ["mse", "half_mse", "mae", "huber"], ["linear", "tanh", "sigmoid"]),
    *product(["binary", "multiclass", "multilabel"], ["mse", "half_mse"], ["linear", "tanh", "sigmoid"]),
    *product(["binary", "multiclass", "multilabel"], ["mae"], ["tanh", "sigmoid"]),
    *product(["binary", "multiclass", "multilabel"], ["binary_cross_entropy"], ["sigmoid"]),
    ("multiclass", "softmax_cross_entropy", "softmax"),
]
EVERYTHING: dict[str, Any] = {
    "activation": ("prelu", "tanh"), "batch_norm": True, "dropout": 0.1, "l1": 0.01, "l2": 0.1,
    "clip_value": 0.1, "clip_layer_norm": 0.1, "clip_norm": 0.12,
}  # fmt: skip
PARTS: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.3},
    "dropout of one layer": {"dropout": (0.0, 0.6)},
    "dropout of leaning units": {"activation": "prelu", "dropout": 0.2},
    "dropout behind tanh": {"activation": "tanh", "dropout": 0.2},
    "batch norm": {"batch_norm": True},
    "batch norm and dropout": {"batch_norm": True, "dropout": 0.2},
    "l1": {"l1": 0.01},
    "l1 that pins": {"l1": 1.0, "optimizer": "sgd", "learning_rate": 0.03},
    "l2": {"l2": 0.1},
    "clipped values": {"clip_value": 0.01},
    "clipped layers": {"clip_layer_norm": 0.1},
    "clipped norm": {"clip_norm": 0.1},
    "everything": EVERYTHING,
    "penalties inside ftrl": {"optimizer": "ftrl", "l1": 0.01, "l2": 0.01},
    "adamw's decay": {"optimizer": "adamw", "weight_decay": 0.3},
    "rows in order": {"shuffle": False},
    "no hidden layer": {"hidden_units": ()},
    "five hidden layers": {"hidden_units": (16, 12, 8, 6, 4), "activation": "tanh"},
    "another seed": {"seed": 2**62 + 5},
    "early stopping": {"early_stopping_epochs": 1, "learning_rate": 0.1},
    "each activation in its layer": {
        "hidden_units": (5,) * len(NATIVE_ACTIVATIONS), "activation": NATIVE_ACTIVATIONS,
        "learning_rate": 0.001,
    },
}  # fmt: skip


def run_on(tier: str, config: TrainingConfig, problem: Problem) -> tuple[Records, NDArray[Any]]:
    """Train to the end; give all records, and the parameters with the running statistics."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLAB_TIER", tier)
        training = train(config, problem)
    records = joined(list(training))
    network = training.trainer.network
    return records, np.concatenate([network.parameters, network.running])


def agree(problem: Problem, *, sampled: bool = True, **config: Any) -> None:
    """Compare whole runs of both tiers."""
    made = TrainingConfig(**{**BASE, **config})
    (expected, weights), (found, native_weights) = (
        run_on(tier, made, problem) for tier in ("numpy", "native")
    )
    assert found.ended is expected.ended
    assert found.nonfinite is None
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5, atol=1e-8)
    assert np.isfinite(found.gradient_norms).all()
    taken = np.isfinite(expected.gradient_norms)
    np.testing.assert_allclose(
        found.gradient_norms[taken], expected.gradient_norms[taken], rtol=2e-4, atol=1e-7
    )
    np.testing.assert_array_equal(found.learning_rates, expected.learning_rates)
    size = float(np.linalg.norm(weights))
    assert float(np.linalg.norm(native_weights - weights)) <= 1e-4 * size
    for ours, theirs in zip(found.evaluations, expected.evaluations, strict=True):
        compare_evaluations(ours, theirs, 1e-4)
    if not sampled:
        return
    for sample, reference in zip(found.samples, expected.samples, strict=True):
        compare_samples(sample, reference, 1e-3)


def compare_evaluations(found: Evaluation, expected: Evaluation, error: float) -> None:
    assert (found.step, found.epoch, found.rows) == (expected.step, expected.epoch, expected.rows)
    assert (found.restored_step, found.is_brief) == (expected.restored_step, expected.is_brief)
    assert found.metrics.keys() == expected.metrics.keys()
    for name, value in expected.metrics.items():
        # a label may be decided by rounding: one row at most
        bound = 1.01 / expected.rows if "accuracy" in name else error * max(1.0, abs(value))
        assert found.metrics[name] == pytest.approx(value, abs=bound, nan_ok=True), name
    np.testing.assert_array_equal(found.dead_share, expected.dead_share)
    np.testing.assert_allclose(found.zero_share, expected.zero_share, atol=2.0 / expected.rows)
    assert_same_shares(found.dormant_share, expected.dormant_share)
    assert_same_shares(found.mixed_share, expected.mixed_share)
    assert_same_number(found.effective_rank, expected.effective_rank, 1e-3)
    compare_answers(found, expected, error)


def compare_answers(found: Evaluation, expected: Evaluation, error: float) -> None:
    assert_same_number(found.answer_variance, expected.answer_variance, error)
    if expected.predicted is None or expected.recall is None:
        assert (found.predicted, found.recall) == (None, None)
        return
    assert found.predicted is not None
    assert found.recall is not None
    assert int(np.abs(found.predicted - expected.predicted).sum()) <= 2  # one row
    assert float(np.nansum(np.abs(found.recall - expected.recall))) <= 0.2


def assert_same_number(found: float | None, expected: float | None, error: float) -> None:
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found == pytest.approx(expected, rel=error, abs=error)


def assert_same_shares(found: NDArray[Any] | None, expected: NDArray[Any] | None) -> None:
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        np.testing.assert_array_equal(found, expected)


def compare_samples(found: Sample, expected: Sample, error: float) -> None:
    assert (found.step, found.rows) == (expected.step, expected.rows)
    for field in ("gradient_rms", "delta_rms", "weight_norm", "update_ratio", "spread"):
        values, references = getattr(found, field), getattr(expected, field)
        np.testing.assert_allclose(values, references, rtol=error, atol=1e-9, err_msg=field)
    # A number near a threshold may lie on the other side of it: one in a layer at most.
    cells = [expected.rows * len(counts) for counts in expected.active_counts]
    for share, reference, cell in zip(found.zero_share, expected.zero_share, cells, strict=True):
        assert share == pytest.approx(reference, abs=1.01 / cell)
    np.testing.assert_array_equal(found.saturated_share, expected.saturated_share)
    for counts, active in zip(found.active_counts, expected.active_counts, strict=True):
        assert int(np.abs(counts - active).sum()) <= 1


def build_many_outputs(task: str, outputs: int = 13, rows: int = 60) -> Problem:
    """Build a problem of more outputs than the smallest vectors have lanes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2 * rows, 4)).astype(np.float32)
    score = x @ rng.standard_normal((4, outputs))
    y = {"regression": score.astype(np.float32), "multiclass": score.argmax(axis=1), "multilabel": score > 0}
    known: NDArray[Any] = y[task]
    return Problem(task, x[:rows], known[:rows], x[rows:], known[rows:], outputs)


@pytest.mark.parametrize("activation", NATIVE_ACTIVATIONS)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_every_activation_agrees(activation: str, dropout: float) -> None:
    agree(build_problem("binary"), activation=activation, dropout=dropout)


@pytest.mark.parametrize(("task", "loss", "output"), HEADS)
def test_every_head_agrees(task: str, loss: str, output: str) -> None:
    agree(build_problem(task), loss=loss, output_activation=output, activation="tanh")


@pytest.mark.parametrize(("task", "loss", "output"), [head for head in HEADS if head[0] != "regression"])
def test_every_head_with_class_weights_agrees(task: str, loss: str, output: str) -> None:
    config: dict[str, Any] = {"class_weights": True, "activation": "tanh"}
    agree(build_problem(task), loss=loss, output_activation=output, **config)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_optimizer_agrees(optimizer: str, batch_norm: bool) -> None:
    agree(build_problem("multiclass"), optimizer=optimizer, batch_norm=batch_norm)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_agrees(part: str) -> None:
    agree(build_problem("multiclass"), **PARTS[part])


@pytest.mark.parametrize("others", [{}, EVERYTHING], ids=["alone", "with everything"])
def test_bounded_weights_agree(others: dict[str, Any]) -> None:
    agree(build_problem("multiclass"), max_norm=0.7, sampled=False, **others)


def test_bounded_weights_are_sampled_alike() -> None:
    agree(build_problem("multiclass"), max_norm=0.7)


def test_the_case_that_should_stop_early_does() -> None:
    config = TrainingConfig(**BASE | PARTS["early stopping"])
    assert run_on("native", config, build_problem("multiclass"))[0].ended is Ending.EARLY_STOP


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup_steps", [0, 7])
def test_every_schedule_agrees(schedule: str, warmup_steps: int) -> None:
    config: dict[str, Any] = {"decay_every": 10, "plateau_epochs": 1, "learning_rate": 0.05}
    agree(build_problem(), schedule=schedule, warmup_steps=warmup_steps, l1=0.001, **config)


@pytest.mark.parametrize("batch_size", [1, 2, 10, 16, 17, 33, 100])
def test_every_batch_size_agrees(batch_size: int) -> None:
    agree(build_problem("regression", rows=100), batch_size=batch_size, dropout=0.1)


# The variance of two rows may be next to nothing, and magnifies rounding.
@pytest.mark.parametrize("batch_size", [10, 16, 17, 33, 100])
def test_every_batch_size_agrees_under_batch_norm(batch_size: int) -> None:
    problem = build_problem("regression", rows=100)
    agree(problem, batch_size=batch_size, batch_norm=True, dropout=0.1)


@pytest.mark.parametrize("width", [1, 3, 16, 17, 50, 65, 130])
@pytest.mark.parametrize("batch_size", [10, 33])
def test_every_width_agrees(width: int, batch_size: int) -> None:
    agree(build_problem("binary", inputs=5), hidden_units=(width, 4, width), batch_size=batch_size)


@pytest.mark.parametrize("inputs", [1, 15, 16, 17, 600])
def test_any_number_of_inputs_agrees(inputs: int) -> None:
    agree(build_problem("multiclass", inputs=inputs), learning_rate=0.001)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_wide_layers_agree(dropout: float) -> None:
    problem = build_problem("multiclass", rows=100, inputs=20)
    agree(problem, hidden_units=(600, 520), batch_size=64, dropout=dropout, learning_rate=0.001, steps=20)


@pytest.mark.parametrize("task", ["regression", "multiclass", "multilabel"])
def test_many_outputs_agree(task: str) -> None:
    agree(build_many_outputs(task))


def test_evaluations_in_blocks_agree() -> None:
    agree(build_problem("multiclass", rows=1500), steps=3)


def step_of(tier: str, problem: Problem, config: TrainingConfig, start: NDArray[Any]) -> NDArray[Any]:
    """Give the change of one step with a learning rate of 1: the gradient."""
    trainer = make_trainer(config, problem, tier)
    trainer.network.parameters[:] = start
    trainer.run_chunk(1)
    return np.asarray(start - trainer.network.parameters, np.float64)


@pytest.mark.parametrize("activation", NATIVE_ACTIVATIONS)
@pytest.mark.parametrize(("task", "loss", "output"), HEADS)
def test_every_gradient_agrees_with_float64(activation: str, task: str, loss: str, output: str) -> None:
    config = TrainingConfig(
        hidden_units=(9, 18),
        activation=activation,
        loss=loss,
        output_activation=output,
        dropout=0.2,
        optimizer="sgd",
        learning_rate=1.0,
        batch_size=21,
        steps=1,
    )
    compare_gradients(config, build_problem(task))


@pytest.mark.parametrize("activation", NATIVE_ACTIVATIONS)
@pytest.mark.parametrize("batch_size", [2, 21, 64])
def test_every_gradient_through_batch_norm_agrees_with_float64(activation: str, batch_size: int) -> None:
    config = TrainingConfig(
        hidden_units=(9, 18),
        activation=activation,
        batch_norm=True,
        dropout=0.2,
        optimizer="sgd",
        learning_rate=1.0,
        batch_size=batch_size,
        steps=1,
    )
    compare_gradients(config, build_problem("multiclass"))


def compare_gradients(config: TrainingConfig, problem: Problem) -> None:
    start = make_trainer(config, problem, "native").network.parameters
    start += np.random.default_rng(0).normal(0.0, 0.1, start.shape).astype(np.float32)
    found = step_of("native", problem, config, start)
    expected = step_of("numpy", problem, replace(config, dtype="float64"), start.astype(np.float64))
    size = float(np.linalg.norm(expected))
    assert size > 0.0
    assert float(np.linalg.norm(found - expected)) <= 1e-5 * size
