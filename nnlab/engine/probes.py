"""Probes: what is read from sampled steps. They read after backward and after the update, and never write.

Which steps are sampled is fixed, not measured: records of the same run must be the same to the last bit.
"""

from __future__ import annotations

from math import ceil, hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activations import ACTIVATION
from nnlab.engine.penalties import norm
from nnlab.engine.records import Sample

if TYPE_CHECKING:
    from nnlab.engine.activations import Activation, Array
    from nnlab.engine.network import Network, Pass
    from nnlab.engine.records import FloatArray, IntArray

FIRST_STEPS = (1, 2, 3, 5, 8, 13, 21, 34)
# A sample costs up to half a step on small networks, so one in 50 steps costs about 1 %.
PERIOD = 50
# Below 32 rows one batch says little (a single row has no spread), so a sample is a burst of steps.
ROWS_OF_A_SAMPLE = 32
NORM_PERIOD = 16
SATURATED_ROWS = 0.95


def samples_norm(step: int) -> bool:
    """Tell whether the gradient's norm is taken at a step: all of the first 34, then one in 16."""
    return step <= FIRST_STEPS[-1] or step % NORM_PERIOD == 0


class Sampler:
    """Accumulates samples; ``due`` is the next step that it wants to see."""

    def __init__(self, network: Network, batch_size: int, output_activation: str) -> None:
        self.due = FIRST_STEPS[0]
        self._network = network
        self._burst = ceil(ROWS_OF_A_SAMPLE / batch_size)
        output = ACTIVATION.get(
            output_activation, ACTIVATION["linear"]
        )  # softmax has no saturation of its own
        self._activations: list[Activation] = [layer.activation for layer in network.layers[:-1]] + [output]
        self._before = np.empty_like(network.parameters)
        self._sums = _Sums(network)

    def before_update(self, seen: Pass) -> None:
        """Read the pass, its gradients and the weights."""
        self._sums.read(seen, self._activations)
        np.copyto(self._before, self._network.parameters)

    def after_update(self, step: int) -> Sample | None:
        """Read the update; return the sample if the burst is complete."""
        np.subtract(self._network.parameters, self._before, out=self._before)
        self._sums.read_update(self._before)
        if self._sums.steps < self._burst:
            self.due = step + 1
            return None
        sample = self._sums.sample(step)
        self._sums = _Sums(self._network)
        self.due = self._next_start(step)
        return sample

    def _next_start(self, step: int) -> int:
        for start in FIRST_STEPS:
            if start > step:
                return start
        period = PERIOD * self._burst
        return FIRST_STEPS[-1] + period * ((step - FIRST_STEPS[-1]) // period + 1)


class _Sums:
    """Sums over the steps of one burst; ratios are formed at its end."""

    def __init__(self, network: Network) -> None:
        self.steps = self.rows = 0
        self._network = network
        layers = network.layers
        self._gradient, self._delta, self._weight, self._update = np.zeros((4, len(layers)))
        self._totals = [np.zeros((2, layer.units)) for layer in layers[:-1]]
        self._zeros = np.zeros(len(layers) - 1)
        self._active: list[IntArray] = [np.zeros(layer.units, np.int64) for layer in layers[:-1]]
        self._saturated = [np.zeros(layer.units) for layer in layers]

    def read(self, seen: Pass, activations: list[Activation]) -> None:
        self.steps += 1
        self.rows += seen.z.shape[1]
        pre_activations = [*(trace.z for trace in seen.traces), seen.z]
        for index, (layer, delta) in enumerate(zip(self._network.layers, seen.deltas(), strict=True)):
            # hypot adds squares without leaving the range of float64, as squares of tiny deltas would
            self._gradient[index] = hypot(self._gradient[index], _rms(layer.weight_gradient))
            self._delta[index] = hypot(self._delta[index], _rms(delta))
            self._weight[index] = hypot(self._weight[index], norm(layer.weight))
            self._saturated[index] += activations[index].saturated(pre_activations[index]).sum(axis=1)
        for index, trace in enumerate(seen.traces):
            a = trace.a.astype(np.float64)
            self._totals[index] += a.sum(axis=1), np.einsum("ur,ur->u", a, a)
            self._zeros[index] += a.size - np.count_nonzero(a)
            self._active[index] += np.count_nonzero(a > 0.0, axis=1)

    def read_update(self, change: Array) -> None:
        for index, layer in enumerate(self._network.layers):
            self._update[index] = hypot(self._update[index], norm(change[layer.weights]))

    def sample(self, step: int) -> Sample:
        average = 1.0 / sqrt(self.steps)
        units = np.array([len(active) for active in self._active])
        return Sample(
            step=step,
            rows=self.rows,
            gradient_rms=self._gradient * average,
            delta_rms=self._delta * average,
            weight_norm=self._weight * average,
            update_ratio=np.divide(
                self._update, self._weight, out=np.full_like(self._update, np.nan), where=self._weight != 0.0
            ),
            spread=np.array([_spread(total, self.rows) for total in self._totals]),
            zero_share=self._zeros / (units * self.rows),
            saturated_share=np.array(
                [float((rows >= SATURATED_ROWS * self.rows).mean()) for rows in self._saturated]
            ),
            active_counts=tuple(self._active),
        )


def _rms(values: Array) -> float:
    return norm(values) / sqrt(values.size)


def _spread(totals: FloatArray, rows: int) -> float:
    """Deviation between rows over the size of the activations; NaN where all are 0."""
    sums, squares = totals
    variances = np.maximum(squares / rows - np.square(sums / rows), 0.0)  # rounding may leave it below 0
    size = float(squares.mean()) / rows
    return sqrt(float(variances.mean()) / size) if size > 0.0 else float("nan")
