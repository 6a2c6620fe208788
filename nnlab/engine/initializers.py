"""Initial weights and biases."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.counter_random import Stream, key, mixed, normals, uniforms

if TYPE_CHECKING:
    from numpy.typing import NDArray

HE_FAMILY = ("relu", "leaky_relu", "prelu", "relu6", "softplus", "elu")
PLAYGROUND_BIAS = 0.1
# Keras's defaults for weights that do not look at the layer's size.
DEVIATION = 0.05  # of normal and, before it is cut, of truncated_normal
CUT = 2.0  # truncated_normal draws again beyond this many deviations
HALF_WIDTH = 0.05  # of uniform
CONSTANTS = {"zeros": 0.0, "ones": 1.0, "constant": 0.05}


def _variance(family: str, fan_in: int, fan_out: int) -> float:
    """The variance of a weight, by family."""
    return {
        "he": 2.0 / fan_in,  # He et al. 2015, eq. 10
        "glorot": 2.0 / (fan_in + fan_out),  # Glorot & Bengio 2010, eq. 12
        "lecun": 1.0 / fan_in,  # LeCun et al. 1998, eq. 16
        "playground": 1.0 / 12.0,  # U(-1/2, 1/2)
        "uniform": HALF_WIDTH**2 / 3.0,
        "normal": DEVIATION**2,
        "truncated": DEVIATION**2,
    }[family]


def resolved(initializer: str, activation: str) -> str:
    """Replace ``auto`` by what suits the layer's activation."""
    if initializer != "auto":
        return initializer
    first = activation.partition(">")[0]
    return "he_normal" if first in HE_FAMILY else "glorot_normal"


def initial_biases(
    initializer: str, weights: str, units: int, *, seed: int, layer: int
) -> NDArray[np.float64]:
    """Draw one layer's biases; they count as weights from one input.

    Args:
        initializer: by any name; ``auto`` is 0, except beside the playground's weights.
        weights: the initializer of the layer's weights.
    """
    if initializer == "auto":
        return np.full(units, PLAYGROUND_BIAS if weights == "playground" else 0.0)
    drawn = initial_weights(initializer, 1, units, seed=seed, layer=layer, stream=Stream.BIASES)
    return drawn.reshape(units)


def initial_weights(
    initializer: str,
    fan_in: int,
    fan_out: int,
    *,
    seed: int,
    layer: int,
    stream: Stream = Stream.WEIGHTS,
) -> NDArray[np.float64]:
    """Draw one layer's weights, by any initializer but ``auto``.

    Shapes: (fan_in, fan_out).
    """
    if initializer in CONSTANTS:
        return np.full((fan_in, fan_out), CONSTANTS[initializer])
    family, _, shape = initializer.partition("_")
    deviation = sqrt(_variance(family, fan_in, fan_out))
    draw_key = mixed(key(seed, stream, layer), 0)
    if family == "truncated":
        values = truncated_normals(draw_key, fan_in * fan_out) * deviation
    elif "normal" in {family, shape}:
        values = normals(draw_key, fan_in * fan_out) * deviation
    else:
        values = (uniforms(draw_key, fan_in * fan_out) - 0.5) * (sqrt(12.0) * deviation)
    return values.reshape(fan_in, fan_out)


def truncated_normals(full_key: int, count: int) -> NDArray[np.float64]:
    """Draw standard normals, and again, in further rounds, those beyond two deviations."""
    values = normals(full_key, count)
    rounds = 0
    while (outside := np.abs(values) > CUT).any():
        rounds += 1
        values[outside] = normals(mixed(full_key, rounds), count)[outside]
    return values
