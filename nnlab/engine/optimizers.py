"""Optimizers: a few in-place passes over the flat parameter vector.

State has the parameters' offsets. Scalars, the bias corrections among them, are float64.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.alignment import aligned_like

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nnlab.engine.activations import Array
    from nnlab.engine.config import TrainingConfig


class Optimizer:
    """Moves parameters against a gradient; ``gradient`` may be overwritten."""

    learning_rate: float
    steps = 0  # taken so far, where the optimizer counts them

    def arrays(self) -> dict[str, Array]:
        """Give the state that a checkpoint keeps, not copied, by name."""
        return {}

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
        self.velocity = aligned_like(like)
        self._step = np.empty_like(like)

    def arrays(self) -> dict[str, Array]:
        """Give the state."""
        return {"velocity": self.velocity}

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
        self.squares = aligned_like(like, self.INITIAL)
        self._step = np.empty_like(like)

    def arrays(self) -> dict[str, Array]:
        """Give the state."""
        return {"squares": self.squares}

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
        self.sums = aligned_like(like)
        self.square_sums = aligned_like(like)

    def arrays(self) -> dict[str, Array]:
        """Give the state."""
        return {"sums": self.sums, "square_sums": self.square_sums}

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


class AdamW(Adam):
    """Adam after each weight has shrunk by lr weight_decay of itself; other parameters do not shrink.

    Source: Loshchilov & Hutter 2019, algorithm 2, with the decay multiplied by lr as PyTorch does.
    """

    def __init__(
        self, like: Array, learning_rate: float, weight_decay: float, weights: NDArray[np.bool_]
    ) -> None:
        super().__init__(like, learning_rate)
        self._decay = np.where(weights, weight_decay, 0.0).astype(like.dtype)
        self._pull = np.empty_like(like)

    def update(self, parameters: Array, gradient: Array) -> None:
        """Shrink, then step as Adam."""
        np.multiply(parameters, self._decay, out=self._pull)
        self._pull *= self.learning_rate
        parameters -= self._pull
        super().update(parameters, gradient)


class RMSProp(Optimizer):
    """s = mean of g^2 from s = 0; p -= lr g / (sqrt(s) + eps).

    Source: Hinton 2012, lecture 6e; rho and eps are Keras's.
    """

    RHO, EPS = 0.9, 1e-7

    def __init__(self, like: Array, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.squares = aligned_like(like)
        self._step = np.empty_like(like)

    def arrays(self) -> dict[str, Array]:
        """Give the state."""
        return {"squares": self.squares}

    def update(self, parameters: Array, gradient: Array) -> None:
        """Step by the gradient over the root of its mean square."""
        np.multiply(gradient, gradient, out=self._step)
        self._step *= 1.0 - self.RHO
        self.squares *= self.RHO
        self.squares += self._step
        np.sqrt(self.squares, out=self._step)
        self._step += self.EPS
        np.divide(gradient, self._step, out=self._step)
        self._step *= self.learning_rate
        parameters -= self._step


class FTRL(Optimizer):
    """Follow the regularised leader: p is the minimum of all gradients so far, made linear, plus penalties.

    n += g^2 from n = 0.1; z += g - (sqrt(n) - sqrt(n before)) / lr p from z = 0;
    p = (clip(z, -l1, l1) - z) / (sqrt(n) / lr + 2 l2). l1 and l2 apply to weights only; l1 makes exact zeros.
    As z starts at 0, small gradients in the first step take the initial weights almost to 0.

    Source: McMahan et al. 2013, algorithm 1, as TensorFlow's FtrlOptimizer has it (learning_rate_power -0.5,
    2 l2 where the paper has l2); there biases are penalised too.
    """

    INITIAL = 0.1

    def __init__(
        self, like: Array, learning_rate: float, l1: float, l2: float, weights: NDArray[np.bool_]
    ) -> None:
        self.learning_rate = learning_rate
        self.squares = aligned_like(like, self.INITIAL)
        self.linear = aligned_like(like)
        self._l1 = np.where(weights, l1, 0.0).astype(like.dtype)
        self._twice_l2 = np.where(weights, 2.0 * l2, 0.0).astype(like.dtype)
        self._root, self._work = np.empty_like(like), np.empty_like(like)

    def arrays(self) -> dict[str, Array]:
        """Give the state."""
        return {"squares": self.squares, "linear": self.linear}

    def update(self, parameters: Array, gradient: Array) -> None:
        """Add the gradient to the sums, and move to their minimum."""
        root, work = self._root, self._work
        self.linear += gradient
        np.sqrt(self.squares, out=work)
        gradient *= gradient
        self.squares += gradient
        np.sqrt(self.squares, out=root)
        work += root  # the difference of the roots is g^2 over their sum, which loses no digits
        np.divide(gradient, work, out=work)
        work *= parameters
        work /= self.learning_rate
        self.linear -= work
        root /= self.learning_rate
        root += self._twice_l2
        np.clip(self.linear, -self._l1, self._l1, out=parameters)
        parameters -= self.linear
        parameters /= root


def make_optimizer(config: TrainingConfig, like: Array, weights: NDArray[np.bool_]) -> Optimizer:
    """Build the config's optimizer, with state of the parameters' shape and type.

    Args:
        weights: tells which parameters are weights; decay and FTRL's penalties apply to these.
    """
    rate = config.learning_rate
    known: dict[str, Callable[[], Optimizer]] = {
        "sgd": lambda: SGD(rate),
        "momentum": lambda: Momentum(like, rate, config.momentum, nesterov=False),
        "nesterov": lambda: Momentum(like, rate, config.momentum, nesterov=True),
        "adagrad": lambda: Adagrad(like, rate),
        "rmsprop": lambda: RMSProp(like, rate),
        "adam": lambda: Adam(like, rate),
        "adamw": lambda: AdamW(like, rate, config.weight_decay, weights),
        "ftrl": lambda: FTRL(like, rate, config.l1, config.l2, weights),
    }
    return known[config.optimizer]()
