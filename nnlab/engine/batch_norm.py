"""Batch normalisation of a hidden layer's pre-activations, before its activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nnlab.engine.activations import Array


class Normalised:
    """What batch normalisation adds to a layer: gamma and beta, learned, and the running statistics.

    Shapes: all (units, 1), views into the network's flat vectors.
    """

    def __init__(self, parameters: Array, gradients: Array, running: Array) -> None:
        units = len(parameters) // 2
        self.gamma, self.beta = parameters.reshape(2, units, 1)
        self.gamma_gradient, self.beta_gradient = gradients.reshape(2, units, 1)
        self.mean, self.variance = running.reshape(2, units, 1)
        self.reset()

    def reset(self) -> None:
        """Start from the identity on data of mean 0 and variance 1."""
        self.gamma[:], self.beta[:] = 1.0, 0.0
        self.mean[:], self.variance[:] = 0.0, 1.0


class BatchNorm:
    """y = gamma (z - m) / sqrt(v + eps) + beta, with m and v over the rows of a batch of a fixed size.

    In evaluation m and v are running means of those of training, r = .9 r + .1 v; v is divided by the rows.

    Shapes: ``z`` (units, rows), where the layer puts its products; normalised in place.

    Source: Ioffe & Szegedy 2015, algorithm 1.
    """

    MOMENTUM, EPS = 0.9, 1e-5

    def __init__(self, layer: Normalised, rows: int, *, training: bool) -> None:
        units, dtype = len(layer.gamma), layer.gamma.dtype
        self._layer, self._rows, self._training = layer, rows, training
        self.z: Array = np.empty((units, rows), dtype)
        self._dz = np.empty_like(self.z)
        self._mean, self._variance, self._inverse = np.zeros((3, units, 1), dtype)

    def forward(self, out: Array) -> None:
        """Normalise ``z`` and write y."""
        z, layer = self.z, self._layer
        if self._training:
            np.add.reduce(z, axis=1, keepdims=True, out=self._mean)
            self._mean /= self._rows
            z -= self._mean
            np.multiply(z, z, out=out)
            np.add.reduce(out, axis=1, keepdims=True, out=self._variance)
            self._variance /= self._rows
        else:
            z -= layer.mean
            np.copyto(self._variance, layer.variance)
        np.add(self._variance, self.EPS, out=self._inverse)
        np.sqrt(self._inverse, out=self._inverse)
        np.reciprocal(self._inverse, out=self._inverse)
        z *= self._inverse
        np.multiply(z, layer.gamma, out=out)
        out += layer.beta

    def backward(self, d: Array) -> Array:
        """Turn the gradient by y into that by the products; fill those of gamma and beta.

        dz = gamma / sqrt(v + eps) (d - mean d - y^ mean(d y^)), with y^ for the normalised.
        """
        layer, dz = self._layer, self._dz
        np.add.reduce(d, axis=1, keepdims=True, out=layer.beta_gradient)
        np.multiply(d, self.z, out=dz)
        np.add.reduce(dz, axis=1, keepdims=True, out=layer.gamma_gradient)
        np.multiply(self.z, layer.gamma_gradient / self._rows, out=dz)
        dz += layer.beta_gradient / self._rows
        np.subtract(d, dz, out=dz)
        dz *= layer.gamma * self._inverse
        return dz

    def keep_statistics(self) -> None:
        """Move the running statistics towards those of the last batch."""
        layer = self._layer
        layer.mean *= self.MOMENTUM
        layer.mean += (1.0 - self.MOMENTUM) * self._mean
        layer.variance *= self.MOMENTUM
        layer.variance += (1.0 - self.MOMENTUM) * self._variance
