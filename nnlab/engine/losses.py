"""Heads: what the output layer's numbers mean, their loss and its gradient.

Everything here is float64, on arrays of shape (outputs, rows) for logits and (rows, outputs) for targets.
Losses are means over rows and outputs (softmax: over rows), each row weighted by its class if so wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nnlab.engine.activations import Array

Floats = NDArray[np.float64]
Targets = NDArray[Any]


def sigmoid(z: Floats) -> Floats:
    """Compute 1 / (1 + e^-z) without overflow."""
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0.0, 1.0, small) / (1.0 + small), np.float64)


def softmax(z: Floats) -> Floats:
    """Compute the share of e^z in each column without overflow."""
    exponentials = np.exp(z - z.max(axis=0))
    return np.asarray(exponentials / exponentials.sum(axis=0), np.float64)


class Head:
    """A loss on top of the last layer's pre-activations."""

    def __init__(self, task: str, outputs: int, activation: str) -> None:
        self.task, self.outputs, self.activation = task, outputs, activation
        self.class_weights: Floats | None = None

    def balance(self, targets: Targets) -> None:
        """Weight each class by n / (K n_k) from now on: all classes of these rows then count alike.

        K counts the classes that occur; one that does not weighs 1. Independent labels have two classes each.
        """
        if self.task == "multiclass":
            counts = np.bincount(self._classes(targets), minlength=self.outputs)
        else:
            positives = np.count_nonzero(targets > 0.5, axis=0)
            counts = np.stack([len(targets) - positives, positives])
        present = np.count_nonzero(counts, axis=0)
        with np.errstate(divide="ignore"):
            weights = len(targets) / (present * counts)
        self.class_weights = np.where(counts > 0, weights, 1.0)

    def weigh(self, targets: Targets, *arrays: Floats) -> None:
        """Multiply arrays of shape (outputs, rows) by the weights of the rows' classes, in place."""
        if self.class_weights is None:
            return
        if self.task == "multiclass":
            weights = self.class_weights[self._classes(targets)]
        else:
            weights = np.where(
                targets.T > 0.5, self.class_weights[1][:, None], self.class_weights[0][:, None]
            )
        for array in arrays:
            np.multiply(array, weights, out=array)

    def _classes(self, targets: Targets) -> NDArray[np.int64]:
        """The class of each row of a multi-class task."""
        return np.asarray(targets.argmax(axis=1), np.int64)

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


class BinaryCrossEntropy(Head):
    """Cross-entropy of independent sigmoids, on their logits: max(z, 0) - z t + log1p(e^-|z|)."""

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient: (sigmoid(z) - t) / (rows outputs)."""
        wide = z.astype(np.float64)
        expected = targets.T
        small = np.exp(-np.abs(wide))
        values = np.maximum(wide, 0.0) - wide * expected + np.log1p(small)
        slope = np.where(wide >= 0.0, 1.0, small) / (1.0 + small)
        slope -= expected
        if self.class_weights is not None:
            self.weigh(targets, values, slope)
        loss = float(values.mean())
        slope /= slope.size
        np.copyto(d, slope, casting="same_kind")
        return loss

    def answers(self, z: Array) -> Floats:
        """Compute the probability of each label."""
        return sigmoid(z.astype(np.float64))

    def best_constant_loss(self, targets: Targets) -> float:
        """Entropy of each label's share, averaged over outputs."""
        weighed = targets.T.copy()
        self.weigh(targets, weighed)
        shares = weighed.mean(axis=1)
        return float((entropy(shares) + entropy(1.0 - shares)).mean())


class SoftmaxCrossEntropy(Head):
    """Cross-entropy of a softmax, on its logits in log-sum-exp form. Targets are class indices (rows, 1)."""

    def encode(self, y: NDArray[np.generic]) -> Targets:
        """Keep the class indices."""
        return np.asarray(y, np.int64).reshape(-1, 1)

    def _classes(self, targets: Targets) -> NDArray[np.int64]:
        return targets[:, 0]

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient: (softmax(z) - one-hot) / rows."""
        shifted = z.astype(np.float64)
        shifted -= shifted.max(axis=0)
        exponentials = np.exp(shifted)
        sums = exponentials.sum(axis=0)
        rows = np.arange(len(targets))
        labels = targets[:, 0]
        values = np.log(sums) - shifted[labels, rows]
        exponentials /= sums
        exponentials[labels, rows] -= 1.0
        if self.class_weights is not None:
            self.weigh(targets, values, exponentials)
        loss = float(values.mean())
        exponentials /= len(targets)
        np.copyto(d, exponentials, casting="same_kind")
        return loss

    def answers(self, z: Array) -> Floats:
        """Compute the probability of each class."""
        return softmax(z.astype(np.float64))

    def best_constant_loss(self, targets: Targets) -> float:
        """Entropy of the class shares."""
        ones = np.ones(len(targets))
        self.weigh(targets, ones)
        return float(entropy(np.bincount(targets[:, 0], weights=ones) / len(targets)).sum())


def entropy(shares: Floats) -> Floats:
    """Compute -p ln p, with 0 for p = 0."""
    return np.asarray(-shares * np.log(np.where(shares > 0.0, shares, 1.0)), np.float64)
