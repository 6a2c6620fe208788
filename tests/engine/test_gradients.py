"""Backpropagation against central differences, over activations, heads, dropout, L2 and batch norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import ACTIVATIONS
from nnlab.engine.network import Pass
from nnlab.engine.numpy_trainer import NumpyTrainer
from nnlab.engine.penalties import L2
from tests.engine.builders import build_problem, build_trainer

HEADS: dict[str, tuple[str, dict[str, Any]]] = {
    "mse": ("regression", {}),
    "mae": ("regression", {"loss": "mae"}),
    "huber": ("regression", {"loss": "huber"}),
    "half_mse_of_tanh": ("binary", {"loss": "half_mse", "output_activation": "tanh"}),
    "mse_of_sigmoid": ("multilabel", {"loss": "mse", "output_activation": "sigmoid"}),
    "mae_of_relu": ("regression", {"loss": "mae", "output_activation": "relu"}),
    "huber_of_softplus": ("regression", {"loss": "huber", "output_activation": "softplus"}),
    "half_mse_of_exponential": ("regression", {"loss": "half_mse", "output_activation": "exponential"}),
    "mse_of_softmax": ("multiclass", {"loss": "mse", "output_activation": "softmax"}),
    "mse_of_sigmoid_for_classes": ("multiclass", {"loss": "mse", "output_activation": "sigmoid"}),
    "weighted_mse_of_softmax": (
        "multiclass",
        {"loss": "mse", "output_activation": "softmax", "class_weights": True},
    ),
    "huber_of_softmax": ("regression", {"loss": "huber", "output_activation": "softmax"}),
    "normalised_sigmoids": ("multiclass", {"loss": "cross_entropy"}),
    "normalised_softmax": ("multiclass", {"loss": "cross_entropy", "output_activation": "softmax"}),
    "weighted_normalised_sigmoids": ("multiclass", {"loss": "cross_entropy", "class_weights": True}),
    "one_normalised_sigmoid": ("binary", {"loss": "cross_entropy", "class_weights": True}),
    "normalised_relus": ("multiclass", {"loss": "cross_entropy", "output_activation": "relu"}),
    "normalised_linear_outputs": ("multiclass", {"loss": "cross_entropy", "output_activation": "linear"}),
    "weighted_normalised_softplus": (
        "multiclass",
        {"loss": "cross_entropy", "output_activation": "softplus", "class_weights": True},
    ),
    "clipped_bce": ("binary", {"loss": "clipped_binary_cross_entropy"}),
    "clipped_bce_of_relus": (
        "multilabel",
        {"loss": "clipped_binary_cross_entropy", "output_activation": "relu", "class_weights": True},
    ),
    "clipped_bce_of_softmax": (
        "multiclass",
        {"loss": "clipped_binary_cross_entropy", "output_activation": "softmax"},
    ),
    "mae_of_sigmoid": ("binary", {"loss": "mae", "output_activation": "sigmoid"}),
    "weighted_mae_of_tanh": ("multiclass", {"loss": "mae", "class_weights": True}),
    "bce": ("binary", {}),
    "bce_per_label": ("multilabel", {}),
    "softmax": ("multiclass", {}),
    "weighted_softmax": ("multiclass", {"class_weights": True}),
    "weighted_bce_per_label": ("multilabel", {"class_weights": True}),
    "weighted_mse_of_tanh": (
        "multiclass",
        {"loss": "mse", "output_activation": "tanh", "class_weights": True},
    ),
}
STEP = 1e-5
ROWS = 6


def build_checked_trainer(activation: str, head: str, *, dropout: float, batch_norm: bool) -> NumpyTrainer:
    """Build a float64 net 3-4-4-k of random parameters, no pre-activation of which is near a kink or huge."""
    task, config = HEADS[head]
    problem = build_problem(task, rows=ROWS)
    grows = "exponential" in {activation, config.get("output_activation")}
    size, most = (0.5, 4.0) if grows else (0.8, np.inf)  # differences of huge numbers are inexact
    for seed in range(100):
        trainer = build_trainer(
            problem,
            hidden_units=(4, 4),
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            dtype="float64",
            batch_size=ROWS,
            seed=seed,
            **config,
        )
        parameters = trainer.network.parameters
        parameters[:] = np.random.default_rng(seed).normal(0.0, size, parameters.shape)
        passed = Pass(trainer.network, ROWS, training=True)
        passed.draw_masks(1)
        passed.forward(trainer._x.T)
        distances = [np.abs(trace.z - kink).min() for trace in passed.traces for kink in (0.0, 6.0)]
        distances.append(np.abs(passed.z).min())
        if config.get("loss") in ("mae", "huber"):
            errors = np.abs(trainer.head.answers(passed.z) - trainer._targets.T)
            distances += [np.abs(errors - kink).min() for kink in (0.0, 1.0)]
        distances += distances_of_shares(trainer, passed, config)
        if np.min(distances) > 1e-3 and np.abs(passed.z).max() < most:
            return trainer
    raise AssertionError("no seed keeps the pre-activations away from the kinks")


def distances_of_shares(trainer: NumpyTrainer, passed: Pass, config: dict[str, Any]) -> list[float]:
    """Tell how far probabilities are from their cuts, where logarithms bend; NaN where there are none."""
    output = config.get("output_activation", "auto")
    if output == "auto" or "cross_entropy" not in config.get("loss", ""):
        return []
    with np.errstate(invalid="ignore"):
        shares = trainer.head.answers(passed.z)
    bend = 1.0 if output == "softmax" else 0.03
    return [float(bend * np.abs(shares[shares != cut] - cut).min(initial=1.0)) for cut in (0.0, 1.0)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_backward_matches_numerical_gradient(
    activation: str, head: str, dropout: float, l2: float, batch_norm: bool
) -> None:
    trainer = build_checked_trainer(activation, head, dropout=dropout, batch_norm=batch_norm)
    network = trainer.network
    parameters, weights = network.parameters, network.is_weight
    x, targets = trainer._x.T, trainer._targets
    passed = Pass(network, ROWS, training=True)
    passed.draw_masks(1)

    def objective() -> float:
        loss = trainer.head.loss_and_gradient(passed.forward(x), targets, passed.d)
        return loss + 0.5 * l2 * float(np.square(parameters[weights]).sum())

    objective()
    passed.backward()
    L2(weights, l2, parameters).add(network.gradients, parameters)
    analytical = network.gradients.copy()

    np.testing.assert_allclose(analytical, numerical_gradient(objective, parameters), rtol=1e-6, atol=1e-9)


def numerical_gradient(objective: Any, parameters: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Differentiate by central differences, parameter by parameter."""
    numerical = np.empty_like(parameters)
    for index, value in enumerate(parameters.tolist()):
        parameters[index] = value + STEP
        above = objective()
        parameters[index] = value - STEP
        numerical[index] = (above - objective()) / (2.0 * STEP)
        parameters[index] = value
    return numerical
