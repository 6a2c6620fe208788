"""Heads of all members at once, in float64 as the reference's: losses, their gradients, and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.error_losses import AbsoluteError, ErrorLoss, HuberError
from nnlab.engine.losses import Head, SoftmaxCrossEntropy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nnlab.engine.device.backend import Array, Backend


@dataclass(frozen=True)
class Rows:
    """Examples on the device.

    Shapes: x (rows, inputs + 1), ones in the last column; targets (rows, outputs), or (rows, 1) for
    class indices; weights as targets, or None where all rows weigh alike; y (rows, outputs or 1), as the
    problem has them.
    """

    x: Array
    targets: Array
    weights: Array | None
    y: Array

    @classmethod
    def of(cls, backend: Backend, head: Head, x: NDArray[np.floating[Any]], y: NDArray[np.generic]) -> Rows:
        """Upload examples."""
        targets, weights = head.encode(y), None
        if head.class_weights is not None:
            ones = np.ones((targets.shape[1], len(targets)))
            head.weigh(targets, ones)
            weights = backend.upload(ones.T.copy())
        flat = np.asarray(y, np.float64).reshape(len(y), -1)
        return cls(backend.upload(x), backend.upload(targets), weights, backend.upload(flat))

    def picked(self, pick: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
        """Pick rows of x, targets and weights; of these 1 where all weigh alike."""
        return pick(self.x), pick(self.targets), 1.0 if self.weights is None else pick(self.weights)


def squared(xp: Any, error: Array) -> tuple[Array, Array]:
    """Give e^2 and e."""
    return error * error, error


def absolute(xp: Any, error: Array) -> tuple[Array, Array]:
    """|e| and its sign."""
    return xp.abs(error), xp.sign(error)


def huber(xp: Any, error: Array) -> tuple[Array, Array]:
    """Give c (e - c/2) and c, with c the error cut at -1 and 1."""
    cut = xp.minimum(xp.maximum(error, -1.0), 1.0)
    return cut * (error - 0.5 * cut), cut


def logistic(xp: Any, wide: Array) -> Array:
    """1 / (1 + e^-z) without overflow."""
    small = xp.exp(-xp.abs(wide))
    return xp.where(wide >= 0.0, 1.0, small) / (1.0 + small)


def binary_loss(xp: Any, values: Array, d: Array, *given: Array) -> None:
    """Write max(z, 0) - z t + log1p(e^-|z|), and sigmoid(z) - t as a share of a mean."""
    z, targets, weights, share = given
    wide = z.astype(np.float64)
    values[...] = (xp.maximum(wide, 0.0) - wide * targets + xp.log1p(xp.exp(-xp.abs(wide)))) * weights
    d[...] = (logistic(xp, wide) - targets) * weights * share


def output(xp: Any, activation: str, z: Array) -> Array:
    """Compute f(z) of an elementwise output activation."""
    wide = z.astype(np.float64)
    if activation == "tanh":
        return xp.tanh(wide)
    return logistic(xp, wide) if activation == "sigmoid" else wide


def error_loss(head: ErrorLoss) -> Callable[..., None]:
    """Build the formula of a loss of the error f(z) - t."""
    judge = {AbsoluteError: absolute, HuberError: huber}.get(type(head), squared)
    name, factor, slope_factor = head.activation, head.factor, head.slope_factor

    def judged_error(xp: Any, values: Array, d: Array, *given: Array) -> None:
        z, targets, weights, share = given
        f = output(xp, name, z)
        value, slope = judge(xp, f - targets)
        if name == "tanh":
            slope = slope * (1.0 - f * f)
        elif name == "sigmoid":
            slope = slope * (f * (1.0 - f))
        values[...] = value * weights * factor
        d[...] = slope * weights * (share * slope_factor)

    return judged_error


class DeviceHead:
    """The loss of a reference head, on arrays (members, outputs, rows)."""

    def __init__(self, backend: Backend, head: Head) -> None:
        self._xp, self.head = backend.xp, head
        self._is_softmax = isinstance(head, SoftmaxCrossEntropy)
        self._formula = backend.fused(error_loss(head) if isinstance(head, ErrorLoss) else binary_loss)
        self._classes = self._xp.arange(head.outputs).reshape(1, head.outputs, 1)
        labels = max(2, head.outputs)
        self._labels = self._xp.arange(labels).reshape(1, labels, 1)

    def losses(self, z: Array, targets: Array, weights: Array, d: Array) -> Array:
        """Compute each member's mean loss, and write its gradient by ``z`` into ``d``. Shapes: (members,)."""
        if self._is_softmax:
            return self._softmax_losses(z, targets, weights, d)
        values = self._xp.empty(z.shape, np.float64)
        self._formula(values, d, z, targets, weights, 1.0 / (z.shape[1] * z.shape[2]))
        return values.mean(axis=(1, 2))

    def _softmax_losses(self, z: Array, targets: Array, weights: Array, d: Array) -> Array:
        xp = self._xp
        shifted, exponentials, sums = self._exponentials(z)
        hot = targets == self._classes
        chosen = xp.where(hot, shifted, 0.0).sum(axis=1, keepdims=True)
        values = (xp.log(sums) - chosen) * weights
        d[...] = (exponentials / sums - hot) * weights / z.shape[2]
        return values.mean(axis=(1, 2))

    def _exponentials(self, z: Array) -> tuple[Array, Array, Array]:
        shifted = z.astype(np.float64)
        shifted -= shifted.max(axis=1, keepdims=True)
        exponentials = self._xp.exp(shifted)
        return shifted, exponentials, exponentials.sum(axis=1, keepdims=True)

    def answers(self, z: Array) -> Array:
        """Compute predictions or probabilities."""
        if self._is_softmax:
            _, exponentials, sums = self._exponentials(z)
            return exponentials / sums
        name = self.head.activation if isinstance(self.head, ErrorLoss) else "sigmoid"
        return output(self._xp, name, z)

    def counts(self, answers: Array, y: Array) -> dict[str, Array]:
        """Count rows answered right, by class or label; of classes also how often each is the answer.

        Shapes: y (1, outputs or 1, rows); counts (members, classes or labels).
        """
        if self.head.task == "multilabel":
            return {"right": (self._positive(answers) == (y > 0.5)).sum(axis=2)}
        if self.head.task == "multiclass":
            given = answers.argmax(axis=1)[:, None, :] == self._labels
        else:
            given = self._positive(answers).astype(np.int8) == self._labels
        return {"right": (given & (y == self._labels)).sum(axis=2), "given": given.sum(axis=2)}

    def _positive(self, answers: Array) -> Array:
        signed = isinstance(self.head, ErrorLoss) and self.head.activation == "tanh"
        return answers > (0.0 if signed else 0.5)
