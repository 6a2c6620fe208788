"""Clipping and weight penalties, in this order: clip the raw gradient, add L2, update, shrink by L1, bound.

Biases and learned slopes are not penalised.
"""

from __future__ import annotations

from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nnlab.engine.activations import Array

# Below this a sum of squares in float64 may have lost some to underflow.
SMALLEST_SQUARE = 1e-280


def norm(values: Array) -> float:
    """Measure the Euclidean norm in float64, rescaled where a square would under- or overflow."""
    wide = values.astype(np.float64, copy=False)
    square = float(np.vdot(wide, wide))
    if SMALLEST_SQUARE < square < float("inf"):
        return sqrt(square)
    largest = float(np.abs(wide).max(initial=0.0))
    if largest == 0.0 or not isfinite(largest):
        return largest
    scaled = wide / largest
    return largest * sqrt(float(np.vdot(scaled, scaled)))


class Clip:
    """Bounds each entry of a gradient, then the norm of each layer's part, then that of the whole.

    Args:
        layers: where each layer's parameters lie.
    """

    def __init__(
        self,
        layers: Sequence[slice],
        *,
        value: float | None = None,
        layer_norm: float | None = None,
        norm: float | None = None,
    ) -> None:
        self._value = value
        self._bounds: list[tuple[slice, float]] = []
        if layer_norm is not None:
            self._bounds += [(layer, layer_norm) for layer in layers]
        if norm is not None:
            self._bounds.append((slice(None), norm))

    def apply(self, gradient: Array) -> None:
        """Clip in place."""
        if self._value is not None:
            np.clip(gradient, -self._value, self._value, out=gradient)
        for part, bound in self._bounds:
            size = norm(gradient[part])
            if not size <= bound:
                gradient[part] *= bound / size


class MaxNorm:
    """Scales the incoming weights of each unit down to a largest norm.

    Shapes: each weight (inputs, units).

    Source: Srivastava et al. 2014, section 5.1. Theirs and ours leave biases alone.
    """

    def __init__(self, weights: Sequence[Array], bound: float) -> None:
        self._weights, self._bound = weights, bound

    def apply(self) -> None:
        """Scale in place."""
        for weight in self._weights:
            sizes = np.sqrt(np.square(weight).sum(axis=0))
            over = sizes > self._bound
            if over.any():
                weight[:, over] *= self._bound / sizes[over]


class L2:
    """Adds l2 * weight to the gradient: the gradient of l2/2 times the sum of squares."""

    def __init__(self, weights: NDArray[np.bool_], rate: float, like: Array) -> None:
        self._rates = np.where(weights, rate, 0.0).astype(like.dtype)
        self._scratch = np.empty_like(like)

    def add(self, gradient: Array, parameters: Array) -> None:
        """Add the penalty's gradient in place."""
        np.multiply(parameters, self._rates, out=self._scratch)
        gradient += self._scratch


class L1:
    """Moves weights towards 0 by learning_rate * l1; one that would cross 0 is set to 0 and stays there.

    Attributes:
        pinned: the weights that have crossed 0.

    Source: TensorFlow Playground, nn.ts, updateWeights: the sign is that of the weight before the step.
    """

    def __init__(self, weights: NDArray[np.bool_], l1: float, like: Array) -> None:
        self._weights, self._l1 = weights, l1
        self._rate = 0.0
        self._amounts = np.zeros_like(like)
        self._pull = np.zeros_like(like)
        self.pinned: NDArray[Any] = np.zeros(like.shape, np.bool_)

    def before_update(self, parameters: Array, learning_rate: float) -> None:
        """Note the direction and the size of the pull."""
        np.sign(parameters, out=self._pull)
        if learning_rate != self._rate:
            self._rate = learning_rate
            np.multiply(self._weights, learning_rate * self._l1, out=self._amounts, casting="same_kind")
        self._pull *= self._amounts

    def after_update(self, parameters: Array) -> None:
        """Pull, and pin what crossed 0."""
        pulled = parameters - self._pull
        self.pinned |= parameters * pulled < 0.0
        np.copyto(parameters, pulled)
        parameters[self.pinned] = 0.0
