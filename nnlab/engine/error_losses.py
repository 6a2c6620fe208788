"""Heads that judge by the error f(z) - t; f is any output activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.losses import Floats, Head, Targets, sigmoid, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nnlab.engine.activations import Array

# Each function of z, and its derivative told by its value; that of softmax is no product, see pass_output.
_OUTPUTS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "linear": (lambda z: z, np.ones_like),
    "tanh": (np.tanh, lambda a: 1.0 - a * a),
    "sigmoid": (sigmoid, lambda a: a * (1.0 - a)),
    "relu": (lambda z: np.maximum(z, 0.0), lambda a: np.heaviside(a, 0.0)),
    "softplus": (lambda z: np.logaddexp(z, 0.0), lambda a: -np.expm1(-a)),
    "exponential": (np.exp, lambda a: a),
}


def outputs_of(activation: str, z: Array) -> Floats:
    """Compute f(z)."""
    wide = z.astype(np.float64)
    return softmax(wide) if activation == "softmax" else _OUTPUTS[activation][0](wide)


def pass_output(activation: str, slopes: Floats, outputs: Floats) -> None:
    """Turn slopes by f(z) into those by z, in place."""
    if activation == "softmax":
        slopes -= (slopes * outputs).sum(axis=0)
        slopes *= outputs
    else:
        slopes *= _OUTPUTS[activation][1](outputs)


class ErrorLoss(Head):
    """``factor`` times the mean of a function of the error. Labels are -1 and +1 under tanh, else 0 and 1."""

    factor = 1.0
    slope_factor = 1.0

    def __init__(self, task: str, outputs: int, activation: str) -> None:
        super().__init__(task, outputs, activation)
        self._signed = task != "regression" and activation == "tanh"

    def encode(self, y: NDArray[np.generic]) -> Targets:
        """Turn labels into -1 and +1 under tanh."""
        targets = super().encode(y)
        return 2.0 * targets - 1.0 if self._signed else targets

    def values_and_slopes(self, error: Floats) -> tuple[Floats, Floats]:
        """Compute the function of the error and its derivative, but for ``factor`` and ``slope_factor``."""
        raise NotImplementedError

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient: the derivative at f - t, times f', over (rows outputs)."""
        outputs = self.answers(z)
        values, slopes = self.values_and_slopes(outputs - targets.T)
        if self.class_weights is not None:
            self.weigh(targets, values, slopes)
        loss = self.factor * float(values.mean())
        slopes *= self.slope_factor / slopes.size
        pass_output(self.activation, slopes, outputs)
        np.copyto(d, slopes, casting="same_kind")
        return loss

    def answers(self, z: Array) -> Floats:
        """Compute f(z)."""
        return outputs_of(self.activation, z)

    def _threshold(self) -> float:
        return 0.0 if self._signed else 0.5


class SquaredError(ErrorLoss):
    """``factor`` times the mean of e^2."""

    def __init__(self, task: str, outputs: int, activation: str, factor: float) -> None:
        super().__init__(task, outputs, activation)
        self.factor, self.slope_factor = factor, 2.0 * factor

    def values_and_slopes(self, error: Floats) -> tuple[Floats, Floats]:
        """Compute e^2 and e."""
        return np.square(error), error

    def best_constant_loss(self, targets: Targets) -> float:
        """Variance of the targets, averaged over outputs."""
        if self.task == "regression":
            return self.factor * float(np.var(targets, axis=0).mean())
        weights = np.ones_like(targets.T)
        self.weigh(targets, weights)
        means = np.average(targets.T, axis=1, weights=weights)
        return self.factor * float((weights * np.square(targets.T - means[:, None])).mean())


class AbsoluteError(ErrorLoss):
    """The mean of |e|; at the kink the derivative is 0."""

    def values_and_slopes(self, error: Floats) -> tuple[Floats, Floats]:
        """Compute |e| and its sign."""
        return np.abs(error), np.sign(error)

    def best_constant_loss(self, targets: Targets) -> float:
        """Mean distance from the median, averaged over outputs; of labels from one of the two."""
        if self.task == "regression":
            return float(np.abs(targets - np.median(targets, axis=0)).mean())
        distances = [np.abs(targets - label(targets)).T for label in (np.min, np.max)]
        self.weigh(targets, *distances)
        return float(np.minimum(*(distance.mean(axis=1) for distance in distances)).mean())


class HuberError(ErrorLoss):
    """The mean of e^2 / 2 where |e| <= 1, else |e| - 1/2.

    Source: Huber 1964, with delta 1.
    """

    def values_and_slopes(self, error: Floats) -> tuple[Floats, Floats]:
        """Compute c (e - c/2) and c, with c the error cut at -1 and 1."""
        cut = np.clip(error, -1.0, 1.0)
        return cut * (error - 0.5 * cut), cut

    def best_constant_loss(self, targets: Targets) -> float:
        """Loss where the cut errors sum to 0, found by bisection, averaged over outputs."""
        low, high = targets.min(axis=0), targets.max(axis=0)
        for _ in range(100):
            middle = 0.5 * (low + high)
            is_low = np.clip(targets - middle, -1.0, 1.0).sum(axis=0) > 0.0
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        return float(self.values_and_slopes(targets - low)[0].mean())
