"""Initial weights. Biases start at 0, except in the playground's start."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from nnlab.engine.counter_random import Stream, key, mixed, normals, uniforms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HE_FAMILY = ("relu", "leaky_relu", "prelu", "relu6", "softplus", "elu")
PLAYGROUND_BIAS = 0.1


def _variance(family: str, fan_in: int, fan_out: int) -> float:
    """The variance of a weight, by family."""
    return {
        "he": 2.0 / fan_in,  # He et al. 2015, eq. 10
        "glorot": 2.0 / (fan_in + fan_out),  # Glorot & Bengio 2010, eq. 12
        "lecun": 1.0 / fan_in,  # LeCun et al. 1998, eq. 16
        "playground": 1.0 / 12.0,  # U(-1/2, 1/2)
        "zeros": 0.0,
    }[family]


def resolved(initializer: str, activation: str) -> str:
    """Replace ``auto`` by what suits the layer's activation."""
    if initializer != "auto":
        return initializer
    return "he_normal" if activation in HE_FAMILY else "glorot_normal"


def initial_weights(
    initializer: str, fan_in: int, fan_out: int, *, seed: int, layer: int
) -> NDArray[np.float64]:
    """Draw one layer's weights, by any initializer but ``auto``.

    Shapes: (fan_in, fan_out).
    """
    family, _, shape = initializer.partition("_")
    deviation = sqrt(_variance(family, fan_in, fan_out))
    draw_key = mixed(key(seed, Stream.WEIGHTS, layer), 0)
    if shape == "normal":
        values = normals(draw_key, fan_in * fan_out) * deviation
    else:
        values = (uniforms(draw_key, fan_in * fan_out) - 0.5) * (sqrt(12.0) * deviation)
    return values.reshape(fan_in, fan_out)
