"""Cross-entropies of probabilities that are computed first and cut, for diagnosis: they may teach nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.error_losses import outputs_of, pass_output
from nnlab.engine.losses import BinaryCrossEntropy, Floats, Head, Targets, entropy, sigmoid, softmax

if TYPE_CHECKING:
    from nnlab.engine.activations import Array

CUT = 1e-7  # from 0 and from 1; where a probability is cut, the gradient is 0


class NormalisedCrossEntropy(Head):
    """Cross-entropy of p = f(z) over the row's sum, cut; a row whose outputs sum to 0 has none (NaN).

    One output alone is always 1, whatever z: the loss of a binary task, -t ln p - (1 - t) ln(1 - p), is then
    constant and nothing is learned.

    Source: Keras 2, categorical_crossentropy, and binary_crossentropy of one softmax unit.
    """

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient by f: (1 - t / p) over the row's sum and the rows; 0 where the class is cut."""
        shares = self.answers(z)
        expected = targets.T
        kept = np.clip(shares, CUT, 1.0 - CUT)
        values = -(expected * np.log(kept)).sum(axis=0, keepdims=True)
        if self.task == "binary":
            values -= (1.0 - expected) * np.log1p(-kept)
        slopes = self._slopes(z, shares, np.where(shares == kept, expected, 0.0))
        self.weigh(targets, values, slopes)
        np.copyto(d, slopes / len(targets), casting="same_kind")
        return float(values.mean())

    def _slopes(self, z: Array, shares: Floats, counted: Floats) -> Floats:
        """Compute the gradient by z; of sigmoid and softmax f' / f is known, as f may be tiny."""
        if self.activation in ("sigmoid", "softmax"):
            slopes = counted.sum(axis=0) * shares - counted
            if self.activation == "sigmoid":
                slopes *= sigmoid(-z.astype(np.float64))
            return np.asarray(slopes)
        f = outputs_of(self.activation, z)
        inverse = np.divide(counted, shares, out=np.zeros_like(shares), where=counted > 0.0)
        slopes = (counted.sum(axis=0) - inverse) / f.sum(axis=0)
        pass_output(self.activation, slopes, f)
        return np.asarray(slopes)

    def answers(self, z: Array) -> Floats:
        """Compute the outputs over their sum, those of sigmoid and softmax from logarithms."""
        if self.activation not in ("sigmoid", "softmax"):
            f = outputs_of(self.activation, z)
            return np.asarray(f / f.sum(axis=0))
        wide = z.astype(np.float64)
        if self.activation == "sigmoid":
            wide = np.minimum(wide, 0.0) - np.log1p(np.exp(-np.abs(wide)))
        return softmax(wide)

    def best_constant_loss(self, targets: Targets) -> float:
        """Entropy of the class shares, which one output alone cannot reach."""
        weighed = targets.T.copy()
        self.weigh(targets, weighed)
        shares = weighed.mean(axis=1)
        rest = entropy(1.0 - shares) if self.task == "binary" else 0.0
        return float((entropy(shares) + rest).sum())


class ClippedBinaryCrossEntropy(BinaryCrossEntropy):
    """Cross-entropy of independent outputs p = f(z), cut: -t ln p - (1 - t) ln(1 - p).

    Source: Keras 2, binary_crossentropy.
    """

    def loss_and_gradient(self, z: Array, targets: Targets, d: Array) -> float:
        """Gradient by f: (p - t) / (p (1 - p)) over the rows and outputs; 0 where p is cut."""
        f, expected = self.answers(z), targets.T
        kept = np.clip(f, CUT, 1.0 - CUT)
        values = -(expected * np.log(kept) + (1.0 - expected) * np.log1p(-kept))
        slopes = np.where(f == kept, (kept - expected) / (kept * (1.0 - kept)), 0.0)
        self.weigh(targets, values, slopes)
        slopes /= slopes.size
        pass_output(self.activation, slopes, f)
        np.copyto(d, slopes, casting="same_kind")
        return float(values.mean())

    def answers(self, z: Array) -> Floats:
        """Compute f(z)."""
        return outputs_of(self.activation, z)
