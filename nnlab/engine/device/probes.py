"""Probes of all members at once: sums stay on the device until a burst is complete and its chunk ends."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activations import ACTIVATION
from nnlab.engine.device.formulas import saturated
from nnlab.engine.device.penalties import square_sum
from nnlab.engine.probes import ROWS_OF_A_SAMPLE, SATURATED_ROWS
from nnlab.engine.probes import Sampler as Reference
from nnlab.engine.records import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.device.backend import Array, Backend
    from nnlab.engine.device.network import Layer, Network, Pass
    from nnlab.engine.records import FloatArray

# Where each sum lies in the arrays of a checkpoint, as the reference has them.
_GRADIENT, _DELTA, _WEIGHT, _UPDATE = range(4)
_SQUARES, _ZEROS = range(2)
_TOTALS, _ACTIVE, _SATURATED = range(3)


@dataclass(frozen=True)
class Burst:
    """A complete burst: its last step, and what it has seen. Shapes: (members, layers or units) each."""

    step: int
    steps: int
    rows: int
    sums: dict[str, Array]


class Sampler:
    """Accumulates bursts, at the steps that the reference samples, in the arrays of its checkpoints.

    Attributes:
        due: the next step that it wants to see.
        sums: by name: layers (members, 4, layers), hidden (members, 2, hidden layers), and units
            (members, 3, units of all layers).
    """

    def __init__(self, backend: Backend, network: Network, batch_size: int, output_activation: str) -> None:
        self._xp, self._network = backend.xp, network
        self._reference = Reference(network.model, batch_size, output_activation)
        self.due, self.steps, self.rows = self._reference.due, 0, 0
        self._burst = ceil(ROWS_OF_A_SAMPLE / batch_size)
        names = [layer.model.name for layer in network.layers[:-1]] + [output_activation]
        self._names = [name if name in ACTIVATION else "linear" for name in names]  # softmax
        self._units = units_of([layer.units for layer in network.layers])
        self.sums = self._fresh()
        self._before: Array = None

    def _fresh(self) -> dict[str, Array]:
        members, layers = len(self._network.parameters), len(self._network.layers)
        shapes = {"layers": (4, layers), "hidden": (2, layers - 1), "units": (3, self._units[-1].stop)}
        return {name: self._xp.zeros((members, *shape)) for name, shape in shapes.items()}

    def before_update(self, seen: Pass) -> None:
        """Read the pass, its gradients and the weights."""
        xp = self._xp
        self.steps += 1
        self.rows += seen.z[-1].shape[2]
        self._before = self._network.parameters.copy()
        self._add(_GRADIENT, self._weight_norms(self._network.gradients))
        self._add(_WEIGHT, self._weight_norms(self._before))
        deltas = [delta.reshape(len(delta), -1) for delta in seen.d]
        self._add(_DELTA, [xp.sqrt(square_sum(delta) / delta.shape[1]) for delta in deltas])
        hidden, units = self.sums["hidden"], self.sums["units"]
        for z, name, part in zip(seen.z, self._names, self._units, strict=True):
            found = saturated(xp, name, z, ACTIVATION[name].saturates_beyond)
            if found is not None:
                units[:, _SATURATED, part] += found.sum(axis=2)
        for index, a in enumerate(seen.a):
            wide = a.astype(np.float64)
            units[:, _TOTALS, self._units[index]] += wide.sum(axis=2)
            units[:, _ACTIVE, self._units[index]] += (a > 0.0).sum(axis=2)
            hidden[:, _SQUARES, index] += (wide * wide).sum(axis=(1, 2))
            hidden[:, _ZEROS, index] += (a == 0.0).sum(axis=(1, 2))

    def after_update(self, step: int) -> Burst | None:
        """Read the update; give the burst if it is complete."""
        self._add(_UPDATE, self._weight_norms(self._network.parameters, self._before))
        if self.steps < self._burst:
            self.due = step + 1
            return None
        burst = Burst(step, self.steps, self.rows, self.sums)
        self.sums, self.steps, self.rows = self._fresh(), 0, 0
        self.due = self._reference.next_start(step)
        return burst

    def _weight_norms(self, vectors: Array, minus: Array | None = None) -> list[Array]:
        parts = [layer.model.weights for layer in self._network.layers]
        if minus is None:
            return [self._xp.sqrt(square_sum(vectors[:, part])) for part in parts]
        changes = (vectors[:, part].astype(np.float64) - minus[:, part] for part in parts)
        return [self._xp.sqrt(square_sum(change)) for change in changes]

    def _add(self, which: int, norms: list[Array]) -> None:
        sums = self.sums["layers"][:, which]
        sums[...] = self._xp.hypot(sums, self._xp.concatenate(norms, axis=1))


def units_of(widths: Sequence[int]) -> list[slice]:
    """Say where each layer's units lie in arrays of all units."""
    ends = np.cumsum(widths)
    return [slice(int(end - width), int(end)) for end, width in zip(ends, widths, strict=True)]


def samples(burst: Burst, sums: dict[str, FloatArray], layers: Sequence[Layer]) -> list[Sample]:
    """Form a burst's ratios, member by member, from its sums on the host, as the reference does."""
    average, rows = 1.0 / sqrt(burst.steps), burst.rows
    parts = units_of([layer.units for layer in layers])
    sizes = np.array([layer.model.weight.size for layer in layers])
    widths = np.array([layer.units for layer in layers[:-1]])
    gradient, delta, weight, update = (sums["layers"][:, row] for row in range(4))
    stuck = sums["units"][:, _SATURATED] >= SATURATED_ROWS * rows
    active = [sums["units"][:, _ACTIVE, part].astype(np.int64) for part in parts[:-1]]
    found = {
        "gradient_rms": gradient * average / np.sqrt(sizes),
        "delta_rms": delta * average,
        "weight_norm": weight * average,
        "update_ratio": np.divide(update, weight, out=np.full_like(weight, np.nan), where=weight != 0.0),
        "spread": _spreads(sums, parts, rows),
        "zero_share": sums["hidden"][:, _ZEROS] / (widths * rows),
        "saturated_share": np.stack([stuck[:, part].mean(axis=1) for part in parts], axis=1),
    }
    return [
        Sample(
            step=burst.step,
            rows=rows,
            active_counts=tuple(counts[member] for counts in active),
            **{name: values[member] for name, values in found.items()},
        )
        for member in range(len(weight))
    ]


def _spreads(sums: dict[str, FloatArray], parts: list[slice], rows: int) -> FloatArray:
    """Deviation between rows over the size of the activations; NaN where all are 0."""
    sizes, totals = sums["hidden"][:, _SQUARES], np.square(sums["units"][:, _TOTALS])
    between = np.empty_like(sizes)
    for index, part in enumerate(parts[:-1]):
        between[:, index] = sizes[:, index] - totals[:, part].sum(axis=1) / rows
    shares = np.full_like(sizes, np.nan)
    np.divide(np.maximum(between, 0.0), sizes, out=shares, where=sizes > 0.0)  # rounding may go below 0
    return np.sqrt(shares)
