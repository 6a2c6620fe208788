"""Probes: what is read from sampled steps. They read after backward and after the update, and never write.

Which steps are sampled is fixed, not measured: records of the same run must be the same to the last bit.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activations import ACTIVATION
from nnlab.engine.penalties import norm
from nnlab.engine.records import Sample

if TYPE_CHECKING:
    from nnlab.engine.activations import Activation, Array
    from nnlab.engine.network import Network, Pass
    from nnlab.engine.records import FloatArray

FIRST_STEPS = (1, 2, 3, 5, 8, 13, 21, 34)
# On small networks a sample costs up to four steps: dense while a run is young and trouble shows first, then
# seldom enough that a long run pays less than 1 %, checks included.
PERIOD, LATE_PERIOD = 50, 200
LATE = 1000
# Tiny networks take so many steps a second that samples are spaced by the work between them, not by steps;
# the gaps grow by a quarter each time until then.
WORK = 6e9  # multiplications and additions, or what costs as much
WORK_OF_A_STEP = 3e4  # that even the smallest network costs
GROWTH = 1.25
# Below 32 rows one batch says little (a single row has no spread), so a sample is a burst of steps.
ROWS_OF_A_SAMPLE = 32
NORM_PERIOD = 16
SATURATED_ROWS = 0.95


def work_of_a_step(parameters: int, batch_size: int) -> float:
    """Estimate the multiplications and additions of a step, and what costs as much."""
    return 6 * parameters * batch_size + WORK_OF_A_STEP


def samples_norm(step: int) -> bool:
    """Tell whether the gradient's norm is taken at a step: all of the first 34, then one in 16."""
    return step <= FIRST_STEPS[-1] or step % NORM_PERIOD == 0


class Sampler:
    """Accumulates samples.

    Attributes:
        due: the next step that it wants to see.
        sums: what the burst in progress has seen.
    """

    def __init__(self, network: Network, batch_size: int, output_activation: str) -> None:
        self.due = FIRST_STEPS[0]
        self._network = network
        self._late_period = max(
            LATE_PERIOD, round(WORK / work_of_a_step(len(network.parameters), batch_size))
        )
        self._burst = ceil(ROWS_OF_A_SAMPLE / batch_size)
        output = ACTIVATION.get(
            output_activation, ACTIVATION["linear"]
        )  # softmax has no saturation of its own
        self._activations: list[Activation] = [layer.activation for layer in network.layers[:-1]] + [output]
        self._before = np.empty(network.parameters.shape)
        self.sums = Sums(network)

    @property
    def last_of_burst(self) -> int:
        """The last step of the burst that begins at ``due``."""
        return self.due + self._burst - 1

    def before_update(self, seen: Pass) -> None:
        """Read the pass, its gradients and the weights."""
        np.copyto(self._before, self._network.parameters)
        self.sums.read(seen, self._activations, self._before)

    def after_update(self, step: int) -> Sample | None:
        """Read the update; return the sample if the burst is complete."""
        np.subtract(self._network.parameters, self._before, out=self._before)
        self.sums.read_update(self._before)
        if self.sums.steps < self._burst:
            self.due = step + 1
            return None
        sample = self.sums.sample(step)
        self.sums.clear()
        self.due = self.next_start(step)
        return sample

    def next_start(self, step: int) -> int:
        """Tell when the sample after one that was complete at a step begins."""
        for start in FIRST_STEPS:
            if start > step:
                return start
        if step < LATE:
            period = PERIOD * self._burst
            return min(LATE, FIRST_STEPS[-1] + period * ((step - FIRST_STEPS[-1]) // period + 1))
        gap = min(self._late_period, max(LATE_PERIOD, round((GROWTH - 1.0) * step)))
        return step + max(gap, LATE_PERIOD * self._burst)


class Sums:
    """Sums over the steps of one burst; ratios are formed at its end."""

    def __init__(self, network: Network) -> None:
        self.steps = self.rows = 0
        self._layers = network.layers
        widths = [layer.units for layer in network.layers]
        self.layer_sums = np.zeros((4, len(widths)))
        self.hidden_sums = np.zeros((2, len(widths) - 1))
        self.unit_sums = np.zeros((3, sum(widths)))
        self._gradient, self._delta, self._weight, self._update = self.layer_sums
        self._squares, self._zeros = self.hidden_sums
        self._widths = np.array(widths)
        self._sizes = np.array([layer.weight.size for layer in network.layers])
        self._starts = np.cumsum([0, *widths[:-1]])
        self._totals, self._active, self._saturated = (
            np.split(sums, self._starts[1:]) for sums in self.unit_sums
        )

    def arrays(self) -> dict[str, FloatArray]:
        """Give all sums, not copied, by name."""
        return {"layers": self.layer_sums, "hidden": self.hidden_sums, "units": self.unit_sums}

    def clear(self) -> None:
        """Begin the next burst."""
        self.steps = self.rows = 0
        for sums in self.arrays().values():
            sums.fill(0.0)

    def read(self, seen: Pass, activations: list[Activation], parameters: FloatArray) -> None:
        """Add a step's pass, gradients and weights."""
        self.steps += 1
        self.rows += seen.z.shape[1]
        ones = np.ones(seen.z.shape[1])  # sums over rows as products: a third of the time of sum(axis=1)
        # hypot adds squares without leaving the range of float64, as squares of tiny deltas would
        np.hypot(self._gradient, self._weight_norms(seen.network.gradients), out=self._gradient)
        np.hypot(self._weight, self._weight_norms(parameters), out=self._weight)
        np.hypot(self._delta, [norm(delta) / sqrt(delta.size) for delta in seen.deltas()], out=self._delta)
        for index, z in enumerate([*(trace.z for trace in seen.traces), seen.z]):
            saturated = activations[index].saturated(z)
            if saturated is not None:
                self._saturated[index] += saturated @ ones
        for index, trace in enumerate(seen.traces):
            a = trace.a.astype(np.float64)
            self._totals[index] += a @ ones
            self._squares[index] += np.vdot(a, a)
            self._zeros[index] += a.size - np.count_nonzero(a)
            self._active[index] += (a > 0.0) @ ones

    def read_update(self, change: FloatArray) -> None:
        """Add what the update changed."""
        np.hypot(self._update, self._weight_norms(change), out=self._update)

    def _weight_norms(self, vector: Array) -> list[float]:
        return [norm(vector[layer.weights]) for layer in self._layers]

    def sample(self, step: int) -> Sample:
        """Form the burst's ratios."""
        average = 1.0 / sqrt(self.steps)
        stuck = self.unit_sums[2] >= SATURATED_ROWS * self.rows
        return Sample(
            step=step,
            rows=self.rows,
            gradient_rms=self._gradient * (average / np.sqrt(self._sizes)),
            delta_rms=self._delta * average,
            weight_norm=self._weight * average,
            update_ratio=_ratio(self._update, self._weight),
            spread=self._spread(),
            zero_share=self._zeros / (self._widths[:-1] * self.rows),
            saturated_share=np.add.reduceat(stuck, self._starts, dtype=np.float64) / self._widths,
            active_counts=tuple(np.split(self.unit_sums[1].astype(np.int64), self._starts[1:])[:-1]),
        )

    def _spread(self) -> FloatArray:
        """Deviation between rows over the size of the activations; NaN where all are 0."""
        totals = self.unit_sums[0]
        of_means = np.add.reduceat(totals * totals, self._starts)[:-1] / self.rows
        between_rows = np.maximum(self._squares - of_means, 0.0)  # rounding may leave it below 0
        return np.sqrt(_ratio(between_rows, self._squares))


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide; NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0.0))
