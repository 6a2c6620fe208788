"""Elementwise formulas of the activations: on a GPU each is one kernel.

Each takes the array module, then the array that it writes. Shapes: (members, units, rows); slopes
(members, units, 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nnlab.engine.device.backend import Array, Formula

LEAKY_SLOPE = 0.01


def linear(xp: Any, a: Array, z: Array) -> None:
    """f(x) = x."""
    a[...] = z


def linear_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = 1."""


def sigmoid(xp: Any, a: Array, z: Array) -> None:
    """f(x) = 1 / (1 + e^-x), with e^-x kept finite."""
    lowest = -87.0 if z.dtype == np.float32 else -700.0
    a[...] = 1.0 / (1.0 + xp.exp(-xp.maximum(z, lowest)))


def sigmoid_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = f (1 - f)."""
    d *= (1.0 - a) * a


def tanh(xp: Any, a: Array, z: Array) -> None:
    """f(x) = tanh x."""
    a[...] = xp.tanh(z)


def tanh_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = 1 - f^2."""
    d *= 1.0 - a * a


def relu(xp: Any, a: Array, z: Array) -> None:
    """f(x) = max(0, x)."""
    a[...] = xp.maximum(z, 0.0)


def relu_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = 1 if x > 0 else 0."""
    d *= z > 0.0


def relu6(xp: Any, a: Array, z: Array) -> None:
    """f(x) = min(max(0, x), 6)."""
    a[...] = xp.minimum(xp.maximum(z, 0.0), 6.0)


def relu6_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = 1 on (0, 6), else 0."""
    d *= (z > 0.0) & (z < 6.0)


def softplus(xp: Any, a: Array, z: Array) -> None:
    """f(x) = max(x, 0) + log1p(e^-|x|)."""
    a[...] = xp.log1p(xp.exp(-xp.abs(z))) + xp.maximum(z, 0.0)


def softplus_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = 1 - e^-f."""
    d *= -xp.expm1(-a)


def prelu(xp: Any, a: Array, z: Array, slope: Array) -> None:
    """f(x) = x if x > 0 else slope x."""
    a[...] = xp.maximum(z, 0.0) + xp.minimum(z, 0.0) * slope


def prelu_slope(xp: Any, d: Array, z: Array, a: Array, slope: Array) -> None:
    """F' = 1 if x > 0 else slope."""
    d *= xp.where(z <= 0.0, slope, 1.0)


def leaky_relu(xp: Any, a: Array, z: Array) -> None:
    """f(x) = x if x > 0 else 0.01 x."""
    a[...] = xp.maximum(z, 0.0) + xp.minimum(z, 0.0) * LEAKY_SLOPE


def leaky_relu_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = 1 if x > 0 else 0.01."""
    d *= xp.where(z <= 0.0, d.dtype.type(LEAKY_SLOPE), d.dtype.type(1.0))


def elu(xp: Any, a: Array, z: Array) -> None:
    """f(x) = x if x > 0 else e^x - 1."""
    a[...] = xp.expm1(xp.minimum(z, 0.0)) + xp.maximum(z, 0.0)


def elu_slope(xp: Any, d: Array, z: Array, a: Array) -> None:
    """F' = 1 if x > 0 else f + 1."""
    d *= xp.minimum(a, 0.0) + 1.0


FORMULAS: dict[str, tuple[Formula, Formula]] = {
    "linear": (linear, linear_slope),
    "sigmoid": (sigmoid, sigmoid_slope),
    "tanh": (tanh, tanh_slope),
    "relu": (relu, relu_slope),
    "softplus": (softplus, softplus_slope),
    "leaky_relu": (leaky_relu, leaky_relu_slope),
    "prelu": (prelu, prelu_slope),
    "relu6": (relu6, relu6_slope),
    "elu": (elu, elu_slope),
}


def saturated(xp: Any, name: str, z: Array, beyond: float | None) -> Array | None:
    """Tell where the derivative is below 5 % of its maximum; None where that is never so."""
    if name == "relu6":
        return z >= 6.0
    return None if beyond is None else xp.abs(z) > beyond
