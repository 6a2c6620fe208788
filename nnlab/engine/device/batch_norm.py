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


def invert(xp: Any, inverse: Array, variance: Array) -> None:
    """Write 1 / sqrt(v + eps)."""
    inverse[...] = 1.0 / xp.sqrt(variance + Reference.EPS)


def normalise(xp: Any, out: Array, z: Array, inverse: Array, gamma: Array, beta: Array) -> None:
    """Scale what was centred, and write gamma z + beta."""
    z *= inverse
    out[...] = z * gamma + beta


def normalised_slope(xp: Any, dz: Array, d: Array, z: Array, inverse: Array, *learned: Array) -> None:
    """Write the gradient by the products, given that by the output."""
    gamma, gamma_gradient, beta_gradient, share = learned
    dz[...] = (d - (z * gamma_gradient + beta_gradient) * share) * (gamma * inverse)


class BatchNorm:
    """Normalises ``z`` in place, (members, units, rows), where the layer puts its products."""

    def __init__(self, backend: Backend, layer: Normalised, rows: int, *, training: bool) -> None:
        xp, self._layer, self._training = backend.xp, layer, training
        self._follow, self._invert = backend.fused(follow), backend.fused(invert)
        self._normalise, self._slope = backend.fused(normalise), backend.fused(normalised_slope)
        self.z: Array = xp.empty((*layer.gamma.shape[:2], rows), layer.gamma.dtype)
        self._dz = xp.empty_like(self.z) if training else None
        self._mean, self._variance = layer.mean, layer.variance
        self._inverse = xp.empty_like(layer.mean)

    def forward(self, out: Array) -> None:
        """Normalise ``z`` and write gamma z + beta."""
        z, layer = self.z, self._layer
        if self._training:
            self._mean = z.mean(axis=2, keepdims=True)
            z -= self._mean
            self._variance = (z * z).mean(axis=2, keepdims=True)
        else:
            z -= layer.mean
        self._invert(self._inverse, self._variance)
        self._normalise(out, z, self._inverse, layer.gamma, layer.beta)

    def backward(self, d: Array) -> Array:
        """Give the gradient by the products, given that by the output; fill those of gamma and beta."""
        layer, share = self._layer, 1.0 / self.z.shape[2]
        layer.beta_gradient[...] = d.sum(axis=2, keepdims=True)
        layer.gamma_gradient[...] = (d * self.z).sum(axis=2, keepdims=True)
        learned = (layer.gamma, layer.gamma_gradient, layer.beta_gradient, share)
        self._slope(self._dz, d, self.z, self._inverse, *learned)
        return self._dz

    def keep_statistics(self) -> None:
        """Move the running statistics towards those of the last batch."""
        self._follow(self._layer.mean, self._mean)
        self._follow(self._layer.variance, self._variance)


def _halves(units: int) -> tuple[slice, slice]:
    return slice(units), slice(units, None)
