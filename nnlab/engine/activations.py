"""The activations. Each derivative stands under the function it differentiates.

All work in place on arrays of shape (units, rows) and keep NaN visible; none but exponential overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass
class Trace:
    """What one layer remembers of a pass, and its scratch arrays, so that no step allocates.

    Shapes: (units, rows); the slopes and their gradient (units, 1).

    Args:
        z: pre-activations.
        a: activations f(z), before dropout.
        d: gradient of the loss by f(z), then by z.
        slope: learned slopes, where the activation has them.
    """

    z: Array
    a: Array
    d: Array
    work: Array
    mask: NDArray[np.bool_]
    slope: Array | None = None
    slope_gradient: Array | None = None


class Activation:
    """A function of the pre-activations z.

    Attributes:
        saturates_beyond: size of z from which f' is below 5 % of its maximum; None where that is never so.
        can_die: whether a silent unit (0 for every row) passes no gradient.
    """

    saturates_beyond: float | None = None
    can_die = False

    def forward(self, t: Trace) -> None:
        """Write f(z) into ``a``."""
        raise NotImplementedError

    def backward(self, t: Trace) -> None:
        """Turn ``d`` from the gradient by f(z) into that by z."""
        raise NotImplementedError

    def saturated(self, z: Array) -> NDArray[np.bool_] | None:
        """Tell where the derivative is below 5 % of its maximum; None where that is never so."""
        return None if self.saturates_beyond is None else np.asarray(np.abs(z) > self.saturates_beyond)


class Linear(Activation):
    """f(x) = x."""

    def forward(self, t: Trace) -> None:
        """Write f(x) = x."""
        np.copyto(t.a, t.z)

    def backward(self, t: Trace) -> None:
        """Multiply by f' = 1."""


class Sigmoid(Activation):
    """f(x) = 1 / (1 + e^-x)."""

    saturates_beyond = 4.36

    def forward(self, t: Trace) -> None:
        """Write f(x) = 1 / (1 + e^-x)."""
        np.maximum(t.z, -87.0 if t.z.dtype == np.float32 else -700.0, out=t.a)  # e^-x stays finite
        np.negative(t.a, out=t.a)
        np.exp(t.a, out=t.a)
        t.a += 1.0
        np.reciprocal(t.a, out=t.a)

    def backward(self, t: Trace) -> None:
        """Multiply by f' = f (1 - f)."""
        np.subtract(1.0, t.a, out=t.work)
        t.work *= t.a
        t.d *= t.work


class Tanh(Activation):
    """f(x) = tanh x."""

    saturates_beyond = 2.18

    def forward(self, t: Trace) -> None:
        """Write f(x) = tanh x."""
        np.tanh(t.z, out=t.a)

    def backward(self, t: Trace) -> None:
        """Multiply by f' = 1 - f^2."""
        np.multiply(t.a, t.a, out=t.work)
        np.subtract(1.0, t.work, out=t.work)
        t.d *= t.work


class ReLU(Activation):
    """f(x) = max(0, x)."""

    can_die = True

    def forward(self, t: Trace) -> None:
        """Write f(x) = max(0, x)."""
        np.maximum(t.z, 0.0, out=t.a)  # z * (z > 0) would turn -inf into NaN

    def backward(self, t: Trace) -> None:
        """Multiply by f' = 1 if x > 0 else 0."""
        np.greater(t.z, 0.0, out=t.mask)
        t.d *= t.mask


class ReLU6(Activation):
    """f(x) = min(max(0, x), 6)."""

    can_die = True

    def forward(self, t: Trace) -> None:
        """Write f(x) = min(max(0, x), 6)."""
        np.maximum(t.z, 0.0, out=t.a)
        np.minimum(t.a, 6.0, out=t.a)

    def backward(self, t: Trace) -> None:
        """Multiply by f' = 1 on (0, 6), else 0."""
        np.greater(t.z, 0.0, out=t.mask)
        t.d *= t.mask
        np.less(t.z, 6.0, out=t.mask)
        t.d *= t.mask

    def saturated(self, z: Array) -> NDArray[np.bool_] | None:
        """Tell where a unit is stuck at its ceiling; at 0 it is silent, which is counted apart."""
        return np.asarray(z >= 6.0)


class Softplus(Activation):
    """f(x) = ln(1 + e^x) = max(x, 0) + log1p(e^-|x|)."""

    def forward(self, t: Trace) -> None:
        """Write f(x) = ln(1 + e^x) = max(x, 0) + log1p(e^-|x|)."""
        np.abs(t.z, out=t.a)
        np.negative(t.a, out=t.a)
        np.exp(t.a, out=t.a)
        np.log1p(t.a, out=t.a)
        np.maximum(t.z, 0.0, out=t.work)
        t.a += t.work

    def backward(self, t: Trace) -> None:
        """Multiply by f' = sigmoid(x) = 1 - e^-f, which keeps its digits where f is tiny."""
        np.negative(t.a, out=t.work)
        np.expm1(t.work, out=t.work)
        np.negative(t.work, out=t.work)
        t.d *= t.work


class LeakyReLU(Activation):
    """f(x) = x if x > 0 else a x, with a = 0.01."""

    slope = 0.01

    def forward(self, t: Trace) -> None:
        """Write f(x) = x if x > 0 else a x, with a = 0.01."""
        np.minimum(t.z, 0.0, out=t.work)
        t.work *= self.slope if t.slope is None else t.slope
        np.maximum(t.z, 0.0, out=t.a)
        t.a += t.work

    def backward(self, t: Trace) -> None:
        """Multiply by f' = 1 if x > 0 else a."""
        np.less_equal(t.z, 0.0, out=t.mask)
        np.multiply(t.mask, self.slope if t.slope is None else t.slope, out=t.work)
        np.logical_not(t.mask, out=t.mask)
        t.work += t.mask
        t.d *= t.work


class PReLU(LeakyReLU):
    """LeakyReLU with a learned slope per unit, 0.25 at the start."""

    slope = 0.25

    def backward(self, t: Trace) -> None:
        """Sum df/da = min(x, 0) over the rows; f' as LeakyReLU."""
        if t.slope is not None:
            np.minimum(t.z, 0.0, out=t.work)
            t.work *= t.d
            np.sum(t.work, axis=1, keepdims=True, out=t.slope_gradient)
        super().backward(t)


class ELU(Activation):
    """f(x) = x if x > 0 else e^x - 1."""

    def forward(self, t: Trace) -> None:
        """Write f(x) = x if x > 0 else e^x - 1."""
        np.minimum(t.z, 0.0, out=t.work)
        np.expm1(t.work, out=t.work)
        np.maximum(t.z, 0.0, out=t.a)
        t.a += t.work

    def backward(self, t: Trace) -> None:
        """Multiply by f' = 1 if x > 0 else f + 1."""
        np.minimum(t.a, 0.0, out=t.work)
        t.work += 1.0
        t.d *= t.work


class Exponential(Activation):
    """f(x) = e^x, which is infinite beyond 88 in float32: for diagnosis."""

    def forward(self, t: Trace) -> None:
        """Write f(x) = e^x."""
        np.exp(t.z, out=t.a)

    def backward(self, t: Trace) -> None:
        """Multiply by f' = f."""
        t.d *= t.a


ACTIVATION: dict[str, Activation] = {
    "linear": Linear(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "relu": ReLU(),
    "softplus": Softplus(),
    "leaky_relu": LeakyReLU(),
    "prelu": PReLU(),
    "relu6": ReLU6(),
    "elu": ELU(),
    "exponential": Exponential(),
}
