"""Heads: what the output layer's numbers mean, their loss and its gradient.

Everything here is float64, on arrays of shape (outputs, rows) for logits and (rows, outputs) for targets.
Losses are means over rows and outputs (softmax: over rows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.config import OUTPUTS_OF_LOSS
from nnlab.engine.errors import ConfigError

if TYPE_CHECKING:
    from nnlab.engine.activations import Array
    from nnlab.engine.config import TrainingConfig

Floats = NDArray[np.float64]
Targets = NDArray[Any]

_AUTO_LOSS = {
    "regression": "mse",
    "binary": "binary_cross_entropy",
    "multiclass": "softmax_cross_entropy",
    "multilabel": "binary_cross_entropy",
}
_AUTO_OUTPUT = {"binary_cross_entropy": "sigmoid", "softmax_cross_entropy": "softmax"}
_LOSSES_OF_TASK = {
    "regression": ("mse", "half_mse"),
    "binary": ("binary_cross_entropy", "mse", "half_mse"),
    "multiclass": ("softmax_cross_entropy", "binary_cross_entropy", "mse", "half_mse"),
    "multilabel": ("binary_cross_entropy", "mse", "half_mse"),
}


def sigmoid(z: Floats) -> Floats:
    """Compute 1 / (1 + e^-z) without overflow."""
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0.0, 1.0, small) / (1.0 + small), np.float64)


class Head:
    """A loss on top of the last layer's pre-activations."""

    def __init__(self, task: str, outputs: int, activation: str) -> None:
        self.task, self.outputs, self.activation = task, outputs, activation

    def encode(self, y: NDArray[np.generic]) -> Targets:
        """Turn a problem's targets into what the loss compares with. Shapes: (rows, outputs)."""
        values = np.asarray(y, np.float64)
        if self.task == "multiclass":
            return np.equal(values[:, None], np.arange(self.outputs)).astype(np.float64)
        return values.reshape(len(values), self.outputs)

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Return the mean loss and write its gradient by ``z`` into ``d``."""
        raise NotImplementedError

    def answers(self, z: Array) -> Floats:
        """Compute the outputs as users see them: predictions or probabilities. Shapes: (outputs, rows)."""
        raise NotImplementedError

    def best_constant_loss(self, targets: Targets) -> float:
        """Compute the loss of the best prediction that ignores the inputs."""
        raise NotImplementedError

    def labels(self, answers: Floats) -> NDArray[np.int64]:
        """Decide labels in the form of the problem's targets, from answers (outputs, rows)."""
        if self.task == "multiclass":
            return np.asarray(answers.argmax(axis=0), np.int64)
        decided = (self._threshold() < answers.T).astype(np.int64)
        return decided[:, 0] if self.task == "binary" else decided

    def _threshold(self) -> float:
        return 0.5


class SquaredError(Head):
    """``factor`` times the mean squared error of f(z); f is linear, tanh or sigmoid.

    Labels are -1 and +1 under tanh, else 0 and 1.
    """

    def __init__(self, task: str, outputs: int, activation: str, factor: float) -> None:
        super().__init__(task, outputs, activation)
        self.factor = factor
        self._signed = task != "regression" and activation == "tanh"

    def encode(self, y: NDArray[np.generic]) -> Targets:
        """Turn labels into -1 and +1 under tanh."""
        targets = super().encode(y)
        return 2.0 * targets - 1.0 if self._signed else targets

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient: 2 factor (f - t) f' / (rows outputs)."""
        outputs = self.answers(z)
        error = outputs - targets.T
        loss = self.factor * float(np.square(error).mean())
        error *= 2.0 * self.factor / error.size
        if self.activation == "tanh":
            error *= 1.0 - outputs * outputs
        elif self.activation == "sigmoid":
            error *= outputs * (1.0 - outputs)
        np.copyto(d, error, casting="same_kind")
        return loss

    def answers(self, z: Array) -> Floats:
        """Compute f(z)."""
        wide = z.astype(np.float64)
        if self.activation == "tanh":
            return np.tanh(wide)
        return sigmoid(wide) if self.activation == "sigmoid" else wide

    def best_constant_loss(self, targets: Targets) -> float:
        """Variance of the targets, averaged over outputs."""
        return self.factor * float(np.var(targets, axis=0).mean())

    def _threshold(self) -> float:
        return 0.0 if self._signed else 0.5


class BinaryCrossEntropy(Head):
    """Cross-entropy of independent sigmoids, on their logits: max(z, 0) - z t + log1p(e^-|z|)."""

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient: (sigmoid(z) - t) / (rows outputs)."""
        wide = z.astype(np.float64)
        expected = targets.T
        small = np.exp(-np.abs(wide))
        loss = float((np.maximum(wide, 0.0) - wide * expected + np.log1p(small)).mean())
        slope = np.where(wide >= 0.0, 1.0, small) / (1.0 + small)
        slope -= expected
        slope /= slope.size
        np.copyto(d, slope, casting="same_kind")
        return loss

    def answers(self, z: Array) -> Floats:
        """Compute the probability of each label."""
        return sigmoid(z.astype(np.float64))

    def best_constant_loss(self, targets: Targets) -> float:
        """Entropy of each label's share, averaged over outputs."""
        shares = targets.mean(axis=0)
        return float((_entropy(shares) + _entropy(1.0 - shares)).mean())


class SoftmaxCrossEntropy(Head):
    """Cross-entropy of a softmax, on its logits in log-sum-exp form. Targets are class indices (rows, 1)."""

    def encode(self, y: NDArray[np.generic]) -> Targets:
        """Keep the class indices."""
        return np.asarray(y, np.int64).reshape(-1, 1)

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient: (softmax(z) - one-hot) / rows."""
        shifted = z.astype(np.float64)
        shifted -= shifted.max(axis=0)
        exponentials = np.exp(shifted)
        sums = exponentials.sum(axis=0)
        rows = np.arange(len(targets))
        labels = targets[:, 0]
        loss = float((np.log(sums) - shifted[labels, rows]).mean())
        exponentials /= sums
        exponentials[labels, rows] -= 1.0
        exponentials /= len(targets)
        np.copyto(d, exponentials, casting="same_kind")
        return loss

    def answers(self, z: Array) -> Floats:
        """Compute the probability of each class."""
        shifted = z.astype(np.float64)
        shifted -= shifted.max(axis=0)
        exponentials = np.exp(shifted)
        return np.asarray(exponentials / exponentials.sum(axis=0), np.float64)

    def best_constant_loss(self, targets: Targets) -> float:
        """Entropy of the class shares."""
        return float(_entropy(np.bincount(targets[:, 0]) / len(targets)).sum())


def _entropy(shares: Floats) -> Floats:
    """Compute -p ln p, with 0 for p = 0."""
    return np.asarray(-shares * np.log(np.where(shares > 0.0, shares, 1.0)), np.float64)


def make_head(config: TrainingConfig, task: str, outputs: int) -> Head:
    """Build the head that config and task ask for.

    Raises:
        ConfigError: where loss, output activation and task do not go together.
    """
    loss = _AUTO_LOSS[task] if config.loss == "auto" else config.loss
    if loss not in _LOSSES_OF_TASK[task]:
        fitting = ", ".join(_LOSSES_OF_TASK[task])
        raise ConfigError(
            "loss", f"expected one of {fitting} for a {task} task, got {loss!r}; auto always fits"
        )
    activation = config.output_activation
    if activation not in OUTPUTS_OF_LOSS[loss]:
        fitting = ", ".join(OUTPUTS_OF_LOSS[loss])
        raise ConfigError(
            "output_activation",
            f"expected one of {fitting} with the loss {loss} of a {task} task, got {activation!r};"
            " use auto, or the loss half_mse for a tanh output",
        )
    if activation == "auto":
        activation = _AUTO_OUTPUT.get(loss, "linear" if task == "regression" else "tanh")
    if loss == "softmax_cross_entropy":
        return SoftmaxCrossEntropy(task, outputs, activation)
    if loss == "binary_cross_entropy":
        return BinaryCrossEntropy(task, outputs, activation)
    return SquaredError(task, outputs, activation, factor=0.5 if loss == "half_mse" else 1.0)
