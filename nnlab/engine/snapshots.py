"""Snapshots: how a network's weights and outputs are distributed at some steps of a run."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.network import Pass, with_ones
from nnlab.engine.records import Histogram, Snapshot

if TYPE_CHECKING:
    from nnlab.engine.activations import Array
    from nnlab.engine.network import Network
    from nnlab.engine.problem import Problem
    from nnlab.engine.records import FloatArray

BINS = 40
ROWS = 64  # validation rows that are looked at, evenly chosen
KEPT_PARAMETERS = 5_000  # larger networks' weights are told by their histograms alone


class Camera:
    """Takes snapshots of one network; keeps its rows and buffers from one to the next."""

    def __init__(self, network: Network, problem: Problem) -> None:
        count = min(ROWS, len(problem.x_val))
        chosen = np.linspace(0, len(problem.x_val) - 1, count).round().astype(np.int64)
        with np.errstate(all="ignore"):  # values beyond float32 become inf, as in an evaluation
            self._x = with_ones(problem.x_val[chosen], network.parameters.dtype.name).T
        self._network = network
        self._pass = Pass(network, count, training=False)

    def take(self) -> Snapshot:
        """Look at the network as it is."""
        with np.errstate(all="ignore"):
            self._pass.forward(self._x)
            outputs = [trace.a for trace in self._pass.traces]
            layers, parameters = self._network.layers, self._network.parameters
            return Snapshot(
                weights=tuple(histogram(layer.weight) for layer in layers),
                outputs=tuple(histogram(a) for a in outputs),
                active=tuple(np.count_nonzero(a > 0.0, axis=1) for a in outputs),
                rows=self._x.shape[1],
                parameters=parameters.astype(np.float32) if parameters.size <= KEPT_PARAMETERS else None,
            )

    def take_of(self, parameters: FloatArray, running: FloatArray) -> Snapshot:
        """Look at another network of this shape, whose arrays are given.

        Shapes: (parameters,); running as ``Network`` has it.
        """
        self._network.parameters[:], self._network.running[:] = parameters, running
        return self.take()


def histogram(values: Array) -> Histogram:
    """Count values in bins of equal width; zeros and what is not finite apart.

    A zero is where a ReLU unit is off: among the others it would be all that a picture shows.
    """
    flat = values.ravel()
    zeros, broken = flat.size - int(np.count_nonzero(flat)), 0
    if zeros:
        flat = flat[flat != 0.0]
    low, high = _ends(flat)
    if not (isfinite(low) and isfinite(high)):
        finite = flat[np.isfinite(flat)]
        flat, broken = finite, flat.size - finite.size
        low, high = _ends(flat)
    if not high > low:
        return Histogram(low, high, np.full(min(flat.size, 1), flat.size, np.int64), zeros, broken)
    # In float64: the difference of two large float32 numbers may be beyond float32.
    places = np.subtract(flat, low, dtype=np.float64)
    places /= high - low
    places *= BINS
    counts = np.bincount(places.astype(np.intp), minlength=BINS)  # the greatest value has a bin too many
    counts[BINS - 1] += counts[BINS:].sum()
    return Histogram(low, high, counts[:BINS], zeros, broken)


def _ends(values: Array) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
