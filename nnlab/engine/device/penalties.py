"""Clipping and weight penalties of all members at once, each with its own bounds and rates.

What no member has costs nothing; a member that has none beside others that do has a bound of infinity or a
rate of 0, which changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.device.optimizers import column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.device.backend import Array, Backend
    from nnlab.engine.device.network import Network


def square_sum(vectors: Array) -> Array:
    """Sum squares of each member in float64, where those of float32 neither under- nor overflow.

    Shapes: (members, 1).
    """
    wide = vectors.astype(np.float64)
    return (wide * wide).sum(axis=1, keepdims=True)


def clip_values(xp: Any, g: Array, bound: Array) -> None:
    """Bound each entry."""
    g[...] = xp.minimum(xp.maximum(g, -bound), bound)


def add_l2(xp: Any, g: Array, p: Array, l2: Array, weights: Array) -> None:
    """Add l2 times the weight."""
    g += p * (l2 * weights)


def pull_l1(xp: Any, p: Array, pinned: Array, pull: Array, alive: Array) -> None:
    """Pull towards 0, and pin what crossed it."""
    pulled = p - pull
    pinned |= p * pulled < 0.0
    p[...] = xp.where(alive, xp.where(pinned, 0.0, pulled), p)


class Penalties:
    """What happens to gradients before the update, and to weights after it.

    Attributes:
        pinned: the weights that L1 has set to 0, (members, size); None where no member has L1.
    """

    def __init__(
        self, backend: Backend, configs: Sequence[TrainingConfig], network: Network, weights: Array
    ) -> None:
        self._backend, self._network, self._weights = backend, network, weights
        self._xp, self._dtype = backend.xp, network.parameters.dtype
        self._clip_values = backend.fused(clip_values)
        self._add_l2, self._pull_l1 = backend.fused(add_l2), backend.fused(pull_l1)
        self._value, self._max_norm = self._own(configs, "clip_value"), self._own(configs, "max_norm")
        self._norms: list[tuple[slice, Array]] = []
        layer_norm, whole = self._own(configs, "clip_layer_norm"), self._own(configs, "clip_norm")
        if layer_norm is not None:
            self._norms += [(layer.model.parameters, layer_norm) for layer in network.layers]
        if whole is not None:
            self._norms.append((slice(None), whole))
        has_own = configs[0].optimizer == "ftrl"  # L1 and L2
        self._l1 = None if has_own else self._own(configs, "l1")
        self._l2 = None if has_own else self._own(configs, "l2")
        xp, shape = self._xp, network.parameters.shape
        self.pinned = None if self._l1 is None else xp.zeros(shape, np.bool_)
        self._pull: Array = None

    def _own(self, configs: Sequence[TrainingConfig], field: str) -> Array | None:
        """Upload a setting of the members, if any has it."""
        if not any(getattr(config, field) for config in configs):
            return None
        return column(self._backend, configs, field, self._dtype)

    def before_update(self, rate: Array) -> None:
        """Clip the raw gradient, then decay; note how L1 will pull."""
        gradients, parameters = self._network.gradients, self._network.parameters
        if self._value is not None:
            self._clip_values(gradients, self._value)
        for part, bound in self._norms:
            self._bound(gradients[:, part], bound)
        if self._l2 is not None:
            self._add_l2(gradients, parameters, self._l2, self._weights)
        if self._l1 is not None:
            self._pull = self._xp.sign(parameters) * (rate * self._l1 * self._weights)

    def _bound(self, part: Array, bound: Array) -> None:
        xp, size = self._xp, self._xp.sqrt(square_sum(part))
        factor = xp.where((size <= bound) | xp.isinf(bound), 1.0, bound / size)
        part *= factor.astype(self._dtype)

    def after_update(self, alive: Array) -> None:
        """Shrink by L1, then bound the weights."""
        if self._l1 is not None:
            self._pull_l1(self._network.parameters, self.pinned, self._pull, alive)
        if self._max_norm is None:
            return
        xp, bound = self._xp, self._max_norm[:, :, None]
        for layer in self._network.layers:
            weight = layer.weight
            sizes = xp.sqrt((weight * weight).sum(axis=1, keepdims=True))
            factor = xp.where(sizes > bound, bound / sizes, 1.0)
            weight *= xp.where(alive[:, :, None], factor, 1.0).astype(self._dtype)
