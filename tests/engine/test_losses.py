"""Heads: known losses, softmax's invariances, and which head goes with which task."""

from __future__ import annotations

import itertools
from math import log
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from nnlab.engine.config import OUTPUT_ACTIVATIONS, TrainingConfig
from nnlab.engine.errors import ConfigError
from nnlab.engine.heads import make_head
from tests.engine.builders import build_problem, run

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(0.0, 3.0, (4, 6))
LABELS = RNG.integers(4, size=6)


def loss_of(task: str, z: Any, y: Any, **config: Any) -> float:
    z = np.asarray(z, np.float64)
    head = make_head(TrainingConfig(**config), task, len(z))
    return head.loss_and_gradient(z, head.encode(np.asarray(y)), np.empty_like(z))


def test_losses_are_means_over_rows_and_outputs() -> None:
    assert loss_of("regression", [[1.0, 2.0], [0.0, 5.0]], [[0.0, 0.0], [2.0, 2.0]]) == (1 + 0 + 0 + 9) / 4
    assert loss_of("regression", [[3.0]], [[1.0]], loss="half_mse") == 2.0
    assert loss_of("regression", [[1.0, 2.0], [0.0, 5.0]], [[0.0, 0.0], [2.0, 2.0]], loss="mae") == 4 / 4
    assert loss_of("regression", [[0.5, 4.0]], [[0.0], [0.0]], loss="huber") == (0.125 + 3.5) / 2
    probability = 1 / (1 + np.exp(-2.0))
    assert loss_of("binary", [[2.0, 2.0]], [1, 0]) == pytest.approx(
        -(log(probability) + log(1 - probability)) / 2, rel=1e-12
    )


def test_the_playground_compares_tanh_with_plus_and_minus_1() -> None:
    playground = {"loss": "half_mse", "output_activation": "tanh"}
    assert loss_of("binary", [[0.5]], [0], **playground) == pytest.approx(0.5 * (np.tanh(0.5) + 1.0) ** 2)


def test_errors_are_those_of_the_output_activation() -> None:
    z, y = [[log(2.0)], [-1.0]], [[0.5, 0.5]]
    softplus = log(1 + 1 / np.e)
    expected = {
        "relu": (log(2.0) - 0.5) ** 2 + 0.5**2,
        "exponential": 1.5**2 + (1 / np.e - 0.5) ** 2,
        "softplus": (log(3.0) - 0.5) ** 2 + (softplus - 0.5) ** 2,
        "softmax": 2 * (2 / (2 + 1 / np.e) - 0.5) ** 2,
    }
    for name, total in expected.items():
        found = loss_of("regression", z, y, loss="mse", output_activation=name)
        assert found == pytest.approx(total / 2, rel=1e-12), name


@pytest.mark.parametrize("output", ["relu", "softplus", "exponential", "softmax"])
@pytest.mark.parametrize("loss", ["mse", "half_mse", "mae", "huber"])
def test_errors_that_are_not_finite_stay_visible(output: str, loss: str) -> None:
    for dtype in ("float32", "float64"):
        for bad in (float("nan"), float("inf")):
            z = np.array([[0.0, 1.0], [bad, 1.0]], dtype)
            head = make_head(TrainingConfig(loss=loss, output_activation=output), "regression", 2)
            with np.errstate(all="ignore"):
                assert not np.isfinite(head.loss_and_gradient(z, np.zeros((2, 2)), np.empty_like(z)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_squared_errors_of_a_softmax_stay_finite_at_logits_of_ten_thousand(dtype: str) -> None:
    z = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    head = make_head(TrainingConfig(loss="mse", output_activation="softmax"), "multiclass", 2)
    assert head.loss_and_gradient(z, head.encode(np.array([0, 0])), d := np.empty_like(z)) == 0.5
    assert not d.any()


def test_one_softmax_unit_learns_nothing_from_errors() -> None:
    problem = build_problem("binary")
    records = run(problem, loss="mse", output_activation="softmax", shuffle=False, epochs=2)
    assert records.losses == pytest.approx(np.tile(1.0 - problem.y_train.reshape(-1, 32).mean(axis=1), 2))
    assert not records.gradient_norms.any()


def test_sigmoids_are_normalised_before_their_cross_entropy() -> None:
    z = np.array([[0.0, 2.0], [-1.0, 2.0], [3.0, -9.0]])
    values = 1.0 / (1.0 + np.exp(-z))
    shares = values / values.sum(axis=0)
    head = make_head(TrainingConfig(loss="cross_entropy"), "multiclass", 3)
    np.testing.assert_allclose(head.answers(z), shares, rtol=1e-12)
    np.testing.assert_array_equal(head.labels(head.answers(z)), [2, 0])
    expected = -(log(shares[1, 0]) + log(shares[0, 1])) / 2
    assert loss_of("multiclass", z, [1, 0], loss="cross_entropy") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_normalised_probabilities_are_cut_and_then_teach_nothing(output: str, dtype: str) -> None:
    z = np.array([[1e4, 1e4, -1e4], [-1e4, -1e4, -2e4]], dtype)
    head = make_head(TrainingConfig(loss="cross_entropy", output_activation=output), "multiclass", 2)
    targets, d = head.encode(np.array([0, 1, 1])), np.full_like(z, 9.0)
    assert head.loss_and_gradient(z, targets, d) == pytest.approx((1e-7 - 2 * log(1e-7)) / 3, rel=1e-9)
    np.testing.assert_array_equal(d, 0.0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(head.loss_and_gradient(np.full_like(z, np.nan), targets, d))


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_one_normalised_unit_is_always_sure_of_class_1(output: str) -> None:
    problem = build_problem("binary")
    records = run(problem, loss="cross_entropy", output_activation=output, shuffle=False, epochs=2)
    zeros = 1.0 - problem.y_train.reshape(-1, 32).mean(axis=1)
    np.testing.assert_allclose(records.losses, np.tile(-zeros * log(1e-7), 2), rtol=1e-6)
    assert not records.gradient_norms.any()
    assert records.evaluations[-1].metrics["val_accuracy"] == problem.y_val.mean()


def test_relus_over_their_sum_are_the_shares_and_a_row_of_zeros_has_none() -> None:
    z = np.array([[3.0, -1.0], [1.0, -2.0], [-5.0, 0.0]])
    config: dict[str, Any] = {"loss": "cross_entropy", "output_activation": "relu"}
    head = make_head(TrainingConfig(**config), "multiclass", 3)
    with np.errstate(invalid="ignore"):
        shares = head.answers(z)
        np.testing.assert_allclose(shares[:, 0], [0.75, 0.25, 0.0])
        assert np.isnan(shares[:, 1]).all()
        assert loss_of("multiclass", z[:, :1], [1], **config) == pytest.approx(-log(0.25))
        assert loss_of("multiclass", z[:, :1], [2], **config) == pytest.approx(-log(1e-7))
        assert np.isnan(loss_of("multiclass", z, [1, 1], **config))


@pytest.mark.parametrize("output", ["sigmoid", "relu", "linear"])
def test_clipped_probabilities_cost_no_more_than_16_and_then_teach_nothing(output: str) -> None:
    z = np.array([[100.0, -100.0, 100.0]])
    config = TrainingConfig(loss="clipped_binary_cross_entropy", output_activation=output)
    head = make_head(config, "binary", 1)
    d = np.full_like(z, 9.0)
    found = head.loss_and_gradient(z, head.encode(np.array([0, 1, 1])), d)
    assert found == pytest.approx((1e-7 - 2 * log(1e-7)) / 3, rel=1e-6)
    np.testing.assert_array_equal(d, 0.0)


def test_clipping_changes_nothing_of_moderate_probabilities() -> None:
    z = np.array([[0.3, -2.0, 5.0]])
    clipped, usual = (
        loss_of("binary", z, [0, 1, 1], loss=loss)
        for loss in ("clipped_binary_cross_entropy", "binary_cross_entropy")
    )
    assert clipped == pytest.approx(usual, rel=1e-12)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("class_weights", [False, True])
def test_the_best_constant_under_absolute_errors_is_one_of_the_labels(task: str, class_weights: bool) -> None:
    y = np.array([0, 1, 1, 0, 1]) if task == "binary" else np.array([0, 1, 1, 2, 1])
    config = TrainingConfig(loss="mae", output_activation="linear")
    head = make_head(config, task, 1 if task == "binary" else 3)
    targets = head.encode(y)
    if class_weights:
        head.balance(targets)
    constants = itertools.product(np.linspace(0.0, 1.0, 5), repeat=head.outputs)
    grid = [np.repeat(np.array(levels)[:, None], 5, axis=1) for levels in constants]
    best = min(head.loss_and_gradient(z, targets, np.empty_like(z)) for z in grid)
    assert head.best_constant_loss(targets) == pytest.approx(best, rel=1e-12)


def test_normalised_sigmoids_learn_classes() -> None:
    records = run(build_problem("multiclass", rows=256), loss="cross_entropy", epochs=30)
    assert records.evaluations[-1].metrics["val_accuracy"] >= 0.9


@pytest.mark.parametrize(("task", "outputs"), [("binary", 1), ("multiclass", 3)])
@pytest.mark.parametrize("class_weights", [False, True])
def test_the_best_constant_of_normalised_outputs_is_that_of_the_task(
    task: str, outputs: int, class_weights: bool
) -> None:
    y = np.array([0, 1, 1, 0, 1]) if task == "binary" else np.array([0, 1, 1, 2, 1])
    heads = [make_head(TrainingConfig(loss=loss), task, outputs) for loss in ("auto", "cross_entropy")]
    for head in heads:
        if class_weights:
            head.balance(head.encode(y))
    usual, normalised = (head.best_constant_loss(head.encode(y)) for head in heads)
    assert normalised == pytest.approx(usual, rel=1e-12)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_squared_errors_of_class_probabilities_learn_classes(output: str) -> None:
    records = run(build_problem("multiclass", rows=256), loss="mse", output_activation=output, epochs=30)
    assert records.evaluations[-1].metrics["val_accuracy"] >= 0.9


def test_softmax_rows_sum_to_1_and_ignore_a_shift() -> None:
    head = make_head(TrainingConfig(), "multiclass", 4)
    probabilities = head.answers(LOGITS)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(head.answers(LOGITS + 100.0), probabilities, atol=1e-12)
    assert loss_of("multiclass", LOGITS + 100.0, LABELS) == pytest.approx(
        loss_of("multiclass", LOGITS, LABELS)
    )


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "binary"])
def test_cross_entropies_stay_finite_at_logits_of_ten_thousand(task: str) -> None:
    z = np.array([[1e4, -1e4], [-1e4, 1e4]])[: 1 if task == "binary" else 2]
    y = {"multiclass": [1, 0], "multilabel": [[0, 1], [1, 0]], "binary": [0, 1]}[task]
    assert loss_of(task, z, y) == pytest.approx(2e4 if task == "multiclass" else 1e4)


def test_untrained_output_of_zeros_costs_ln_of_the_classes() -> None:
    assert loss_of("multiclass", np.zeros((10, 5)), np.arange(5)) == pytest.approx(log(10.0), rel=1e-12)


def test_the_best_constant_costs_the_entropy_of_the_classes() -> None:
    head = make_head(TrainingConfig(), "multiclass", 3)
    baseline = head.best_constant_loss(head.encode(np.array([0, 0, 1, 2])))
    assert baseline == pytest.approx(0.5 * log(2) + 0.5 * log(4), rel=1e-12)
    one_class = make_head(TrainingConfig(), "binary", 1)
    assert one_class.best_constant_loss(one_class.encode(np.ones(5))) == 0.0


def test_the_best_constant_costs_the_variance_of_a_regression_target() -> None:
    head = make_head(TrainingConfig(), "regression", 2)
    y = np.array([[0.0, 1.0], [2.0, 1.0]])
    assert head.best_constant_loss(head.encode(y)) == 0.5


@pytest.mark.parametrize("loss", ["mse", "half_mse", "mae", "huber"])
def test_no_constant_beats_the_best_constant_of_a_regression_loss(loss: str) -> None:
    y = np.random.default_rng(1).standard_exponential((40, 2)) * 3.0
    head = make_head(TrainingConfig(loss=loss), "regression", 2)
    targets = head.encode(y)
    best = head.best_constant_loss(targets)

    def loss_of_constants(values: np.ndarray[Any, Any]) -> float:
        z = np.repeat(values[:, None], 40, axis=1)
        return head.loss_and_gradient(z, targets, np.empty_like(z))

    found = optimize.minimize(loss_of_constants, y.mean(axis=0), method="Nelder-Mead", tol=1e-10)
    assert best == pytest.approx(found.fun, rel=1e-6)


@pytest.mark.parametrize(
    ("task", "config", "field"),
    [
        ("regression", {"loss": "softmax_cross_entropy"}, "loss"),
        ("binary", {"loss": "huber"}, "loss"),
        ("regression", {"loss": "clipped_binary_cross_entropy"}, "loss"),
        ("regression", {"class_weights": True}, "class_weights"),
        ("multiclass", {"loss": "huber"}, "loss"),
        ("binary", {"loss": "softmax_cross_entropy"}, "loss"),
        ("multilabel", {"loss": "cross_entropy"}, "loss"),
        ("binary", {"output_activation": "tanh"}, "output_activation"),
        ("regression", {"output_activation": "softmax"}, "output_activation"),
    ],
)
def test_a_head_of_another_task_is_refused(task: str, config: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_head(TrainingConfig(**config), task, 1)
    assert caught.value.field == field


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("output", [name for name in OUTPUT_ACTIVATIONS if name != "auto"])
def test_labels_are_decided_right_under_squared_error(task: str, output: str) -> None:
    problem = build_problem(task)
    head = make_head(TrainingConfig(loss="mse", output_activation=output), task, problem.outputs)
    perfect = head.encode(problem.y_train).T
    np.testing.assert_array_equal(head.labels(perfect), problem.y_train)


def test_three_regression_targets_are_each_learned_and_reported() -> None:
    problem = build_problem("regression", rows=400, inputs=2)
    x = np.concatenate([problem.x_train, problem.x_val])
    y = np.column_stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1], 2.0 * x[:, 0]])
    replaced = type(problem)("regression", x[:400], y[:400], x[400:], y[400:], 3)
    metrics = run(replaced, hidden_units=(16,), epochs=40).evaluations[-1].metrics
    assert all(metrics[f"val_r2/{target}"] >= 0.99 for target in (1, 2, 3))


def test_three_labels_of_half_planes_are_each_learned() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1200, 2))
    y = (x @ np.array([[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]]) > 0).astype(np.int64)
    problem = type(build_problem())("multilabel", x[:800], y[:800], x[800:], y[800:], 3)
    metrics = run(problem, hidden_units=(16,), epochs=20).evaluations[-1].metrics
    assert all(metrics[f"val_accuracy/{label}"] >= 0.95 for label in (1, 2, 3))
