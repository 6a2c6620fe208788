"""Optimizers: a few in-place passes over the flat parameter vector.

State has the parameters' offsets. Scalars, the bias corrections among them, are float64.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nnlab.engine.activations import Array
    from nnlab.engine.config import TrainingConfig


class Optimizer:
    """Moves parameters against a gradient; ``gradient`` may be overwritten."""

    def update(self, parameters: Array, gradient: Array) -> None:
        """Take one step in place."""
        raise NotImplementedError


class SGD(Optimizer):
    """p -= lr g."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def update(self, parameters: Array, gradient: Array) -> None:
        """Subtract lr g."""
        gradient *= self.learning_rate
        parameters -= gradient


class Momentum(Optimizer):
    """v = mu v + g; p -= lr v, or with Nesterov's look-ahead p -= lr (g + mu v).

    Source: Polyak 1964; Nesterov in the form of Sutskever et al. 2013, written for the
    look-ahead parameters.
    """

    def __init__(self, like: Array, learning_rate: float, momentum: float, *, nesterov: bool) -> None:
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self.velocity = np.zeros_like(like)
        self._step = np.empty_like(like)

    def update(self, parameters: Array, gradient: Array) -> None:
        """Follow the velocity."""
        self.velocity *= self.momentum
        self.velocity += gradient
        if self.nesterov:
            np.multiply(self.velocity, self.momentum, out=self._step)
            self._step += gradient
            self._step *= self.learning_rate
        else:
            np.multiply(self.velocity, self.learning_rate, out=self._step)
        parameters -= self._step


class Adagrad(Optimizer):
    """s += g^2 from s = 0.1; p -= lr g / sqrt(s).

    Source: Duchi et al. 2011; the initial accumulator, instead of an epsilon, is TensorFlow's.
    """

    INITIAL = 0.1

    def __init__(self, like: Array, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.squares = np.full_like(like, self.INITIAL)
        self._step = np.empty_like(like)

    def update(self, parameters: Array, gradient: Array) -> None:
        """Step by the gradient over the root of all its squares so far."""
        np.multiply(gradient, gradient, out=self._step)
        self.squares += self._step
        np.sqrt(self.squares, out=self._step)
        np.divide(gradient, self._step, out=self._step)
        self._step *= self.learning_rate
        parameters -= self._step


class Adam(Optimizer):
    """m, v = means of g and g^2; p -= lr m^ / (sqrt(v^) + eps), with ^ for the bias-corrected.

    Kept as sums M = m / (1 - beta1) and V = v / (1 - beta2), which saves two passes; all constants meet in
    two float64 scalars. (1 - beta2^t in float32 would be off by 6e-5.)

    Source: Kingma & Ba 2015, algorithm 1.
    """

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

    def __init__(self, like: Array, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.steps = 0
        self.sums = np.zeros_like(like)
        self.square_sums = np.zeros_like(like)

    def update(self, parameters: Array, gradient: Array) -> None:
        """Step by the corrected means."""
        self.steps += 1
        # m^ = M first and sqrt(v^) = sqrt(V) second
        first = (1.0 - self.BETA1) / (1.0 - self.BETA1**self.steps)
        second = sqrt((1.0 - self.BETA2) / (1.0 - self.BETA2**self.steps))
        self.sums *= self.BETA1
        self.sums += gradient
        gradient *= gradient
        self.square_sums *= self.BETA2
        self.square_sums += gradient
        np.sqrt(self.square_sums, out=gradient)
        gradient += self.EPS / second
        np.divide(self.sums, gradient, out=gradient)
        gradient *= self.learning_rate * first / second
        parameters -= gradient


def make_optimizer(config: TrainingConfig, like: Array) -> Optimizer:
    """Build the config's optimizer, with state of the parameters' shape and type."""
    rate = config.learning_rate
    if config.optimizer == "sgd":
        return SGD(rate)
    if config.optimizer == "adagrad":
        return Adagrad(like, rate)
    if config.optimizer == "adam":
        return Adam(like, rate)
    return Momentum(like, rate, config.momentum, nesterov=config.optimizer == "nesterov")
