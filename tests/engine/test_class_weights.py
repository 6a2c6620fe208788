"""Class weights: every class counts alike, whatever its share of the rows."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from nnlab.engine.config import TrainingConfig
from nnlab.engine.heads import fitted_head, make_head
from nnlab.engine.losses import Head
from nnlab.engine.problem import Problem
from nnlab.engine.training import describe
from tests.engine.builders import build_problem, run

LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 2])
FLAGS = np.array([[0, 1], [0, 1], [0, 1], [1, 0]])
HEADS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "softmax": ("multiclass", LABELS, {}),
    "bce of classes": ("multiclass", LABELS, {"loss": "binary_cross_entropy"}),
    "mse of classes": ("multiclass", LABELS, {"loss": "mse"}),
    "bce": ("binary", LABELS // 2, {}),
    "playground": ("binary", LABELS // 2, {"loss": "half_mse", "output_activation": "tanh"}),
    "bce of labels": ("multilabel", FLAGS, {}),
    "mse of labels": ("multilabel", FLAGS, {"loss": "mse", "output_activation": "sigmoid"}),
}


def build_heads(case: str) -> tuple[Head, Head, Any]:
    """Give a head with class weights, the same without, and the targets that the first was balanced on."""
    task, y, config = HEADS[case]
    outputs = {"multiclass": 3, "binary": 1, "multilabel": 2}[task]
    weighted, plain = (make_head(TrainingConfig(**config), task, outputs) for _ in range(2))
    targets = weighted.encode(y)
    weighted.balance(targets)
    return weighted, plain, targets


def loss_of(head: Head, z: Any, targets: Any) -> float:
    return head.loss_and_gradient(z, targets, np.empty_like(z))


def test_weights_are_those_of_scikit_learn() -> None:
    head, _, targets = build_heads("softmax")
    weights = np.ones(len(LABELS))
    head.weigh(targets, weights)
    np.testing.assert_allclose(
        weights, compute_class_weight("balanced", classes=np.arange(3), y=LABELS)[LABELS]
    )


@pytest.mark.parametrize("case", HEADS)
def test_a_weighted_loss_is_the_mean_over_classes_of_their_mean_losses(case: str) -> None:
    head, plain, targets = build_heads(case)
    z = np.random.default_rng(0).standard_normal((head.outputs, len(targets)))
    # Of the two independent labels each is the other's opposite.
    labels = targets.argmax(axis=1) if head.task == "multilabel" else HEADS[case][1]
    means = [loss_of(plain, z[:, labels == k], targets[labels == k]) for k in np.unique(labels)]
    assert loss_of(head, z, targets) == pytest.approx(float(np.mean(means)), rel=1e-12)


def test_balanced_classes_change_nothing() -> None:
    head = make_head(TrainingConfig(), "multiclass", 3)
    targets = head.encode(np.array([0, 1, 2, 2, 1, 0]))
    z = np.random.default_rng(0).standard_normal((3, 6))
    before = loss_of(head, z, targets)
    head.balance(targets)
    assert loss_of(head, z, targets) == before


@pytest.mark.parametrize("case", HEADS)
def test_no_constant_beats_the_best_constant_loss(case: str) -> None:
    head, _, targets = build_heads(case)
    best = head.best_constant_loss(targets)
    rng = np.random.default_rng(0)
    found = [
        loss_of(head, np.repeat(z[:, None], len(targets), axis=1), targets)
        for z in rng.uniform(-1.0, 1.0, (2000, head.outputs))
    ]
    assert best <= min(found) + 1e-12
    assert min(found) - best < 0.01


def test_a_class_without_rows_does_no_harm() -> None:
    head = make_head(TrainingConfig(), "multiclass", 4)
    targets = head.encode(LABELS)
    head.balance(targets)
    assert head.best_constant_loss(targets) == pytest.approx(log(3))
    assert np.isfinite(loss_of(head, np.zeros((4, 1)), np.array([[3]])))


def test_the_baseline_of_a_run_is_weighted_like_its_loss() -> None:
    problem = build_problem("multiclass", rows=100)
    assert describe(TrainingConfig(class_weights=True), problem).baseline_loss == pytest.approx(log(3))
    assert fitted_head(TrainingConfig(), problem).best_constant_loss(problem.y_train[:, None]) < log(3)


def test_a_rare_class_is_found_with_weights_and_missed_without() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(2000) % 20 == 0).astype(np.int64)
    x = rng.standard_normal((2000, 2)) + 1.2 * y[:, None]
    problem = Problem("binary", x[:1000], y[:1000], x[1000:], y[1000:], 1)
    accuracies = [
        run(problem, class_weights=weighted, hidden_units=(), epochs=20)
        .evaluations[-1]
        .metrics["val_accuracy"]
        for weighted in (False, True)
    ]
    # Without, nearly all rows are told to be of the common class, which is right for 95 % of them.
    assert accuracies[0] > 0.94
    assert 0.7 < accuracies[1] < 0.92
