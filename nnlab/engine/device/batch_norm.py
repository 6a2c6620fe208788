"""Batch normalisation of a layer of all members at once; the reference's batch_norm.py has the formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnlab.engine.batch_norm import BatchNorm as Reference

if TYPE_CHECKING:
    from nnlab.engine.device.backend import Array, Backend


class Normalised:
    """Views of gamma and beta, their gradients and the running statistics. Shapes: (members, units, 1)."""

    def __init__(self, parameters: Array, gradients: Array, running: Array) -> None:
        members, units = len(parameters), parameters.shape[1] // 2
        shape = (members, units, 1)
        self.gamma, self.beta = (parameters[:, s].reshape(shape) for s in _halves(units))
        self.gamma_gradient, self.beta_gradient = (gradients[:, s].reshape(shape) for s in _halves(units))
        self.mean, self.variance = (running[:, s].reshape(shape) for s in _halves(units))


def follow(xp: Any, running: Array, seen: Array) -> None:
    """Move a running mean towards what a batch has shown."""
    running *= Reference.MOMENTUM
    running += seen * (1.0 - Reference.MOMENTUM)


class BatchNorm:
    """Normalises ``z`` in place, (members, units, rows), where the layer puts its products."""

    def __init__(self, backend: Backend, layer: Normalised, rows: int, *, training: bool) -> None:
        self._xp, self._layer, self._training = backend.xp, layer, training
        self.z: Array = self._xp.empty((*layer.gamma.shape[:2], rows), layer.gamma.dtype)
        self._follow = backend.fused(follow)
        self._mean, self._variance, self._inverse = layer.mean, layer.variance, layer.mean

    def forward(self, out: Array) -> None:
        """Normalise ``z`` and write gamma z + beta."""
        z, layer = self.z, self._layer
        if self._training:
            self._mean = z.mean(axis=2, keepdims=True)
            z -= self._mean
            self._variance = (z * z).mean(axis=2, keepdims=True)
        else:
            self._variance = layer.variance
            z -= layer.mean
        self._inverse = 1.0 / self._xp.sqrt(self._variance + Reference.EPS)
        z *= self._inverse
        out[...] = z * layer.gamma + layer.beta

    def backward(self, d: Array) -> Array:
        """Turn the gradient by the output into that by the products; fill those of gamma and beta."""
        layer, rows = self._layer, self.z.shape[2]
        layer.beta_gradient[...] = d.sum(axis=2, keepdims=True)
        layer.gamma_gradient[...] = (d * self.z).sum(axis=2, keepdims=True)
        mean = self.z * (layer.gamma_gradient / rows) + layer.beta_gradient / rows
        return (d - mean) * (layer.gamma * self._inverse)

    def keep_statistics(self) -> None:
        """Move the running statistics towards those of the last batch."""
        self._follow(self._layer.mean, self._mean)
        self._follow(self._layer.variance, self._variance)


def _halves(units: int) -> tuple[slice, slice]:
    return slice(units), slice(units, None)
