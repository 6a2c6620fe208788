"""Which head a config and a task ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.engine.config import OUTPUTS_OF_LOSS
from nnlab.engine.error_losses import AbsoluteError, HuberError, SquaredError
from nnlab.engine.errors import ConfigError
from nnlab.engine.losses import BinaryCrossEntropy, Head, SoftmaxCrossEntropy
from nnlab.engine.probability_losses import ClippedBinaryCrossEntropy, NormalisedCrossEntropy

if TYPE_CHECKING:
    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem

_AUTO_LOSS = {
    "regression": "mse",
    "binary": "binary_cross_entropy",
    "multiclass": "softmax_cross_entropy",
    "multilabel": "binary_cross_entropy",
}
_AUTO_OUTPUT = {
    "binary_cross_entropy": "sigmoid",
    "softmax_cross_entropy": "softmax",
    "clipped_binary_cross_entropy": "sigmoid",
    "cross_entropy": "sigmoid",
}
_LOSSES_OF_TASK = {
    "regression": ("mse", "half_mse", "mae", "huber"),
    "binary": (
        *("binary_cross_entropy", "mse", "half_mse", "mae"),
        *("clipped_binary_cross_entropy", "cross_entropy"),
    ),
    "multiclass": (
        *("softmax_cross_entropy", "binary_cross_entropy", "mse", "half_mse", "mae"),
        *("clipped_binary_cross_entropy", "cross_entropy"),
    ),
    "multilabel": ("binary_cross_entropy", "mse", "half_mse", "mae", "clipped_binary_cross_entropy"),
}


def loss_name(config: TrainingConfig, task: str) -> str:
    """Name the loss that a config and a task ask for, with ``auto`` resolved."""
    return _AUTO_LOSS[task] if config.loss == "auto" else config.loss


def make_head(config: TrainingConfig, task: str, outputs: int) -> Head:
    """Build the head that config and task ask for.

    Raises:
        ConfigError: where loss, output activation and task do not go together.
    """
    loss = loss_name(config, task)
    if loss not in _LOSSES_OF_TASK[task]:
        fitting = ", ".join(_LOSSES_OF_TASK[task])
        raise ConfigError(
            "loss", f"expected one of {fitting} for a {task} task, got {loss!r}; auto always fits"
        )
    if config.class_weights and task == "regression":
        raise ConfigError(
            "class_weights", "expected false for a regression task, got true; it has no classes"
        )
    activation = config.output_activation
    allowed = OUTPUTS_OF_LOSS[loss]
    if config.loss == "auto" and loss == "mse":
        allowed = tuple(name for name in allowed if name != "softmax")  # errors of it only where asked for
    if activation not in allowed:
        fitting = ", ".join(allowed)
        raise ConfigError(
            "output_activation",
            f"expected one of {fitting} with the loss {loss} of a {task} task, got {activation!r};"
            " use auto, or the loss half_mse for a tanh output",
        )
    if activation == "auto":
        activation = _AUTO_OUTPUT.get(loss, "linear" if task == "regression" else "tanh")
    heads: dict[str, type[Head]] = {
        "softmax_cross_entropy": SoftmaxCrossEntropy,
        "binary_cross_entropy": BinaryCrossEntropy,
        "clipped_binary_cross_entropy": ClippedBinaryCrossEntropy,
        "cross_entropy": NormalisedCrossEntropy,
        "mae": AbsoluteError,
        "huber": HuberError,
    }
    if loss in heads:
        return heads[loss](task, outputs, activation)
    return SquaredError(task, outputs, activation, factor=0.5 if loss == "half_mse" else 1.0)


def fitted_head(config: TrainingConfig, problem: Problem) -> Head:
    """Build the head of a problem, with the class weights of its training rows where they are wanted.

    Raises:
        ConfigError: as ``make_head``.
    """
    head = make_head(config, problem.task, problem.outputs)
    if config.class_weights:
        head.balance(head.encode(problem.y_train))
    return head
