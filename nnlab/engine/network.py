"""The network: one flat parameter vector, and passes over batches.

Inside, arrays are feature-major, (units, rows): every elementwise pass then runs over contiguous memory. The
bias is the last row of the weight matrix and meets a row of ones under the layer's inputs, so one product
adds the bias, and one gives both gradients. In the notation of course notes: z = W' a + b, a' = f(z).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activations import Activation, Trace
from nnlab.engine.alignment import aligned_zeros
from nnlab.engine.batch_norm import BatchNorm, Normalised
from nnlab.engine.composition import activation_of
from nnlab.engine.counter_random import Stream, Words, fill_words, key, mixed
from nnlab.engine.initializers import initial_biases, initial_weights, resolved
from nnlab.engine.sizes import parameter_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnlab.engine.activations import Array
    from nnlab.engine.config import TrainingConfig


Vectors = tuple["Array", "Array"]  # parameters and gradients


class Layer:
    """Views of one layer into the flat vectors: weight, bias, then gamma and beta, then learned slopes.

    Under batch normalisation, which takes the mean away, the bias does nothing and gets no gradient.

    Shapes: ``affine`` (inputs + 1, units), its last row being the bias; ``slope`` (units, 1) or None.
    """

    def __init__(
        self, vectors: Vectors, start: int, sizes: tuple[int, int], name: str, running: Array
    ) -> None:
        inputs, units = sizes
        parameters, gradients = vectors
        self.name = name
        self.activation: Activation = activation_of(name)
        middle, end = start + inputs * units, start + (inputs + 1) * units
        self.weights = slice(start, middle)
        self.affine = parameters[start:end].reshape(inputs + 1, units)
        self.affine_gradient = gradients[start:end].reshape(inputs + 1, units)
        self.weight, self.weight_gradient = self.affine[:-1], self.affine_gradient[:-1]
        self.bias, self.bias_gradient = self.affine[-1], self.affine_gradient[-1]
        self.normalised: Normalised | None = None
        if running.size:
            start, end = end, end + 2 * units
            self.normalised = Normalised(parameters[start:end], gradients[start:end], running)
        self.slope: Array | None = None
        self.slope_gradient: Array | None = None
        if name == "prelu":
            start, end = end, end + units
            self.slope = parameters[start:end].reshape(units, 1)
            self.slope_gradient = gradients[start:end].reshape(units, 1)
        self.end = end
        self.parameters = slice(self.weights.start, end)

    @property
    def units(self) -> int:
        """The layer's width."""
        return self.affine.shape[1]


def drop_threshold(rate: float) -> int:
    """Compute the random word below which a value is dropped."""
    return min(round(rate * 2**32), 2**32 - 1)


class Dropout:
    """Inverted dropout: a mask of 0 and 1/keep, drawn per step from counters unit * rows + row."""

    def __init__(self, like: Array, rate: float, *, seed: int, layer: int) -> None:
        self.mask = np.ones_like(like)
        self._key = key(seed, Stream.DROPOUT, layer)
        self._threshold = np.uint32(drop_threshold(rate))
        self._scale = like.dtype.type(1.0 / (1.0 - rate))
        self._counters: Words = np.arange(like.size, dtype=np.uint32).reshape(like.shape)
        self._words, self._scratch = np.empty_like(self._counters), np.empty_like(self._counters)
        self._kept: NDArray[np.bool_] = np.empty(like.shape, np.bool_)

    def draw(self, step: int) -> None:
        """Draw the step's mask."""
        fill_words(self._words, self._counters, self._scratch, mixed(self._key, step))
        np.greater_equal(self._words, self._threshold, out=self._kept)
        np.multiply(self._kept, self._scale, out=self.mask)


class Network:
    """Layers over one flat vector; the last has no activation of its own, its head has (losses.py).

    Shapes: ``running`` (2 hidden units,), mean and variance layer by layer, or (0,) without batch_norm.
    """

    def __init__(self, config: TrainingConfig, inputs: int, outputs: int) -> None:
        names = (*config.activations, "linear")
        size = parameter_count(config, inputs, outputs)
        self.parameters = aligned_zeros(size, config.dtype)
        self.gradients = aligned_zeros(size, config.dtype)
        self.running = np.zeros(2 * sum(config.hidden_units) * config.batch_norm, config.dtype)
        self.layers: list[Layer] = []
        start = running_start = 0
        for shape, name in zip(pairwise((inputs, *config.hidden_units, outputs)), names, strict=True):
            running = self.running[running_start : running_start + 2 * shape[1]]  # empty for the last layer
            self.layers.append(Layer((self.parameters, self.gradients), start, shape, name, running))
            start, running_start = self.layers[-1].end, running_start + len(running)
        self.dropouts, self.seed = config.dropouts, config.seed
        self._initialize(config.initializers, config.bias_initializers)

    def _initialize(self, weights: tuple[str, ...], biases: tuple[str, ...]) -> None:
        for index, (layer, wanted, bias) in enumerate(zip(self.layers, weights, biases, strict=True)):
            drawn = resolved(wanted, layer.name)
            fan_in, fan_out = layer.weight.shape
            layer.weight[:] = initial_weights(drawn, fan_in, fan_out, seed=self.seed, layer=index)
            layer.bias[:] = initial_biases(bias, drawn, layer.units, seed=self.seed, layer=index)
            if layer.slope is not None:
                layer.slope[:] = 0.25

    @property
    def is_weight(self) -> NDArray[np.bool_]:
        """Tell for each parameter whether it is a weight, which penalties apply to."""
        flags = np.zeros(self.parameters.shape, np.bool_)
        for layer in self.layers:
            flags[layer.weights] = True
        return flags

    def first_nonfinite(self, vector: Array) -> int | None:
        """Find the first layer whose part of a flat vector is not finite."""
        if np.isfinite(vector).all():
            return None
        for index, layer in enumerate(self.layers):
            if not np.isfinite(vector[layer.parameters]).all():
                return index
        return None

    def first_bad_statistics(self) -> int | None:
        """Find the first layer whose running statistics are not finite: its activations were too large."""
        for index, layer in enumerate(self.layers):
            seen = layer.normalised
            if seen is not None and not np.isfinite([seen.mean, seen.variance]).all():
                return index
        return None


class Pass:
    """Buffers for passes of a fixed number of rows, and the passes themselves.

    Shapes: ``inputs[l]`` (units below + 1, rows), ones in the last row; ``z`` and ``d`` (outputs, rows).
    """

    def __init__(self, network: Network, rows: int, *, training: bool) -> None:
        self.network = network
        dtype = network.parameters.dtype
        self.inputs: list[Array] = [np.empty((0, 0), dtype)]
        self.traces: list[Trace] = []
        self.norms: list[BatchNorm | None] = []
        self.dropouts: list[Dropout | None] = []
        for index, (layer, rate) in enumerate(zip(network.layers, network.dropouts, strict=False)):
            above = np.ones((layer.units + 1, rows), dtype)
            self.inputs.append(above)
            shape = (layer.units, rows)
            drops = training and rate > 0.0
            # With dropout the undropped activations stay: tanh' and sigmoid' are taken from them.
            a = np.empty(shape, dtype) if drops else above[:-1]
            z, d, work = (np.empty(shape, dtype) for _ in range(3))
            mask = np.empty(shape, np.bool_)
            self.traces.append(Trace(z, a, d, work, mask, layer.slope, layer.slope_gradient))
            norm = layer.normalised
            self.norms.append(None if norm is None else BatchNorm(norm, rows, training=training))
            self.dropouts.append(Dropout(z, rate, seed=network.seed, layer=index) if drops else None)
        self._normalised = [layer for layer in network.layers if layer.normalised is not None]
        self._kept = [norm for norm in self.norms if norm is not None]
        self.z = np.empty((network.layers[-1].units, rows), dtype)
        self.d = np.empty_like(self.z)

    def draw_masks(self, step: int) -> None:
        """Draw the dropout masks of a step; forward and backward then use the same."""
        for dropout in self.dropouts:
            if dropout is not None:
                dropout.draw(step)

    def forward(self, x: Array) -> Array:
        """Compute the last layer's pre-activations from x (inputs + 1, rows), ones in its last row."""
        self.inputs[0] = x
        layers = self.network.layers
        for index, (trace, norm, dropout) in enumerate(
            zip(self.traces, self.norms, self.dropouts, strict=True)
        ):
            layer = layers[index]
            np.matmul(layer.affine.T, self.inputs[index], out=trace.z if norm is None else norm.z)
            if norm is not None:
                norm.forward(trace.z)
            layer.activation.forward(trace)
            if dropout is not None:
                np.multiply(trace.a, dropout.mask, out=self.inputs[index + 1][:-1])
        return np.matmul(layers[-1].affine.T, self.inputs[-1], out=self.z)

    def backward(self) -> None:
        """Fill the network's gradients, given the loss gradient by ``z`` in ``d``."""
        d = self.d
        layers = self.network.layers
        for index in range(len(layers) - 1, -1, -1):
            np.matmul(self.inputs[index], d.T, out=layers[index].affine_gradient)
            if index == 0:
                break
            trace, norm, dropout = self.traces[index - 1], self.norms[index - 1], self.dropouts[index - 1]
            np.matmul(layers[index].weight, d, out=trace.d)
            if dropout is not None:
                trace.d *= dropout.mask
            layers[index - 1].activation.backward(trace)
            d = trace.d if norm is None else norm.backward(trace.d)
        for layer in self._normalised:
            layer.bias_gradient[:] = 0.0  # as it is but for rounding, of which Adam would make steps

    def keep_statistics(self) -> None:
        """Let the running statistics of batch normalisation follow the last batch."""
        for norm in self._kept:
            norm.keep_statistics()

    def deltas(self) -> list[Array]:
        """Give the loss gradients by what the activations see, layer by layer.

        Under batch normalisation these are its outputs: deltas of its inputs shrink as weights grow, and
        so would say nothing of vanishing.
        """
        return [*(trace.d for trace in self.traces), self.d]


def with_ones(x: NDArray[np.floating], dtype: str) -> Array:
    """Append the column of ones that meets the bias. Shapes: (rows, inputs) -> (rows, inputs + 1)."""
    padded: Array = np.ones((x.shape[0], x.shape[1] + 1), dtype)
    padded[:, :-1] = x
    return padded
