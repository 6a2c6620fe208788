"""Networks of one shape: all parameters in one array, a row for each member in the reference's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.counter_random import Stream
from nnlab.engine.device.batch_norm import BatchNorm, Normalised
from nnlab.engine.device.formulas import FORMULAS
from nnlab.engine.device.random_words import dropped, halves, keys
from nnlab.engine.network import Network as Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.device.backend import Array, Backend
    from nnlab.engine.network import Layer as ReferenceLayer


class Layer:
    """Views of one layer of all members. Shapes: ``affine`` (members, inputs + 1, units)."""

    def __init__(self, network: Network, model: ReferenceLayer, running: slice) -> None:
        members, (rows, units) = len(network.parameters), model.affine.shape
        self.model, self.units = model, units
        start, end = model.weights.start, model.weights.start + rows * units
        self.affine = network.parameters[:, start:end].reshape(members, rows, units)
        self.affine_gradient = network.gradients[:, start:end].reshape(members, rows, units)
        self.weight = self.affine[:, :-1]
        self.normalised: Normalised | None = None
        if running.start < running.stop:
            start, end = end, end + 2 * units
            vectors = network.parameters[:, start:end], network.gradients[:, start:end]
            self.normalised = Normalised(*vectors, network.running[:, running])
        self.slopes: tuple[Array, ...] = ()  # of PReLU
        if model.slope is not None:
            start, end = end, end + units
            self.slopes = (network.parameters[:, start:end].reshape(members, units, 1),)
            self.slope_gradient = network.gradients[:, start:end].reshape(members, units, 1)


class Network:
    """Layers of all members.

    Shapes: parameters, gradients (members, size); running (members, 2 hidden units) with batch norm, else
    (members, 0).
    """

    def __init__(
        self, backend: Backend, configs: Sequence[TrainingConfig], inputs: int, outputs: int
    ) -> None:
        self.model = Reference(configs[0], inputs, outputs)
        initial = np.stack([Reference(config, inputs, outputs).parameters for config in configs])
        running = np.stack([self.model.running] * len(configs))
        self.parameters, self.running = backend.upload(initial), backend.upload(running)
        self.gradients = backend.xp.zeros_like(self.parameters)
        self.layers: list[Layer] = []
        start = 0
        for model in self.model.layers:
            stop = start + 2 * model.units * (model.normalised is not None)
            self.layers.append(Layer(self, model, slice(start, stop)))
            start = stop


class Dropout:
    """Inverted dropout of a layer, with a rate and a seed for each member."""

    def __init__(self, backend: Backend, like: Array, configs: Sequence[TrainingConfig], layer: int) -> None:
        xp = backend.xp
        rates = np.array([config.dropouts[layer] for config in configs])[:, None, None]
        thresholds = np.minimum(np.rint(rates * 2.0**32), 2.0**32 - 1).astype(np.uint32)
        scales = (1.0 / (1.0 - rates)).astype(like.dtype)
        self._draws = backend.upload(thresholds), backend.upload(scales)
        self._counters = xp.arange(like[0].size, dtype=np.uint32).reshape(1, *like.shape[1:])
        self.mask = xp.ones_like(like)
        self._backend, self._layer = backend, layer
        self._seeds = [config.seed for config in configs]
        self._drop = backend.fused(dropped)
        self._high = self._low = self._counters[None]

    def prepare(self, first_step: int, steps: int) -> None:
        """Mix the keys of the steps to come."""
        parts = np.arange(first_step, first_step + steps, dtype=np.uint64)
        full = keys(self._seeds, Stream.DROPOUT, self._layer, parts)
        self._high, self._low = halves(self._backend, full[:, :, None, None])

    def apply(self, index: int, a: Array, out: Array) -> None:
        """Draw the mask of one of these steps, and write what it leaves of ``a``."""
        self._drop(out, self.mask, a, self._counters, self._high[index], self._low[index], *self._draws)


class Pass:
    """Buffers for passes of a fixed number of rows, and the passes themselves.

    Shapes: ``inputs[l]`` (members, units below + 1, rows), ones in the last row.

    Args:
        configs: of the members, for their dropout; None in evaluation.
    """

    def __init__(
        self, backend: Backend, network: Network, rows: int, configs: Sequence[TrainingConfig] | None
    ) -> None:
        self._backend, self._layers = backend, network.layers
        training = configs is not None
        members, dtype = len(network.parameters), network.parameters.dtype
        xp, hidden = backend.xp, network.layers[:-1]
        shapes = [(members, layer.units, rows) for layer in network.layers]
        self.z = [xp.empty(shape, dtype) for shape in shapes]
        self.d = [xp.empty(shape, dtype) for shape in shapes] if training else []
        above = [xp.ones((members, layer.units + 1, rows), dtype) for layer in hidden]
        self.inputs: list[Array] = [None, *above]
        self.dropouts: list[Dropout | None] = [None] * len(hidden)
        if configs is not None:
            drops = [rate > 0.0 for rate in configs[0].dropouts]
            self.dropouts = [
                Dropout(backend, z, configs, index) if is_on else None
                for index, (z, is_on) in enumerate(zip(self.z, drops, strict=False))
            ]
        # with dropout the undropped activations stay: tanh' and sigmoid' are taken from them
        self.a = [
            held[:, :-1] if dropout is None else xp.empty_like(z)
            for held, dropout, z in zip(above, self.dropouts, self.z, strict=False)
        ]
        self._norms = [
            None if seen is None else BatchNorm(backend, seen, rows, training=training)
            for seen in (layer.normalised for layer in hidden)
        ]
        pairs = [FORMULAS[layer.model.name] for layer in hidden]
        self._forward = [backend.fused(forward) for forward, _ in pairs]
        self._backward = [backend.fused(backward) for _, backward in pairs]

    def prepare(self, first_step: int, steps: int) -> None:
        """Make ready for some training steps."""
        for dropout in self.dropouts:
            if dropout is not None:
                dropout.prepare(first_step, steps)

    def forward(self, x: Array, index: int = 0) -> Array:
        """Compute the last layer's pre-activations.

        Args:
            x: (members or 1, inputs + 1, rows), ones in its last row.
            index: which of the prepared steps it is, in training.
        """
        self.inputs[0] = x
        product = self._backend.product
        for place, (norm, dropout) in enumerate(zip(self._norms, self.dropouts, strict=True)):
            layer, z, a = self._layers[place], self.z[place], self.a[place]
            product(layer.affine.swapaxes(1, 2), self.inputs[place], z if norm is None else norm.z)
            if norm is not None:
                norm.forward(z)
            self._forward[place](a, z, *layer.slopes)
            if dropout is not None:
                dropout.apply(index, a, self.inputs[place + 1][:, :-1])
        product(self._layers[-1].affine.swapaxes(1, 2), self.inputs[-1], self.z[-1])
        return self.z[-1]

    def backward(self) -> None:
        """Fill the gradients, given the loss gradient by the last ``z`` in the last ``d``."""
        d, product = self.d[-1], self._backend.product
        for place in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[place]
            product(self.inputs[place], d.swapaxes(1, 2), layer.affine_gradient)
            if layer.normalised is not None:
                layer.affine_gradient[:, -1] = 0.0  # as it is but for rounding
            if place == 0:
                break
            product(layer.weight, d, self.d[place - 1])
            d = self._through_activation(place - 1)

    def _through_activation(self, place: int) -> Array:
        """Turn a layer's ``d`` from the gradient by its outputs into that by its products."""
        layer, norm, dropout = self._layers[place], self._norms[place], self.dropouts[place]
        d, z = self.d[place], self.z[place]
        if dropout is not None:
            d *= dropout.mask
        if layer.slopes:
            summed = (self._backend.xp.minimum(z, 0.0) * d).sum(axis=2, keepdims=True)
            layer.slope_gradient[...] = summed
        self._backward[place](d, z, self.a[place], *layer.slopes)
        return d if norm is None else norm.backward(d)

    def keep_statistics(self) -> None:
        """Let the running statistics of batch normalisation follow the last batch."""
        for norm in self._norms:
            if norm is not None:
                norm.keep_statistics()
