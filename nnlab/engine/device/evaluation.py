"""Evaluation of all members at once, in blocks of rows; sums on the device, metrics on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.device.network import Network, Pass
from nnlab.engine.metrics import per_output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnlab.engine.device.backend import Array, Backend
    from nnlab.engine.device.heads import DeviceHead, Rows
    from nnlab.engine.problem import Problem

# The same for any number of members, so that none changes another's sums.
BLOCK_ROWS = 256


class Evaluator:
    """Runs over the validation rows."""

    def __init__(self, backend: Backend, network: Network, head: DeviceHead, rows: Rows) -> None:
        self._backend, self._network, self._head, self._rows = backend, network, head, rows
        self._count = len(rows.x)
        self._passes: dict[int, Pass] = {}

    def evaluate(self) -> dict[str, Array]:
        """Give sums over all rows, and what is finite. Shapes: (members, ...) of float64."""
        found: dict[str, Array] = {}
        for start in range(0, self._count, BLOCK_ROWS):
            seen = self._block(slice(start, min(start + BLOCK_ROWS, self._count)))
            found = {name: found[name] + sums for name, sums in seen.items()} if found else seen
        return self._shares(found) | self._finite()

    def _block(self, part: slice) -> dict[str, Array]:
        rows, network, count = self._rows, self._network, part.stop - part.start
        if count not in self._passes:
            self._passes[count] = Pass(self._backend, network, count, None)
        passed = self._passes[count]
        x, targets, weights = rows.picked(lambda array: array[part].swapaxes(0, 1)[None])
        y = rows.y[part].swapaxes(0, 1)[None]
        z = passed.forward(x)
        losses = self._head.losses(z, targets, weights, self._backend.xp.empty_like(z))
        sums = {"loss": losses[:, None] * count}
        answers = self._head.answers(z)
        if self._head.head.task == "regression":
            error = answers - y
            sums |= {"squares": (error * error).sum(axis=2), "sizes": self._backend.xp.abs(error).sum(axis=2)}
        else:
            sums["right"] = self._head.right(answers, y).sum(axis=2)
        for index, a in enumerate(passed.a):
            sums[f"nonzero/{index}"] = (a != 0.0).sum(axis=2)
        return sums

    def _shares(self, found: dict[str, Array]) -> dict[str, Array]:
        """Turn counts of units into shares, which are less to copy."""
        for index in range(len(self._network.layers) - 1):
            counts = found.pop(f"nonzero/{index}")
            found[f"dead/{index}"] = (counts == 0).mean(axis=1)[:, None]
            found[f"zero/{index}"] = 1.0 - counts.mean(axis=1)[:, None] / self._count
        return found

    def _finite(self) -> dict[str, Array]:
        xp, network = self._backend.xp, self._network
        parts = [network.parameters[:, layer.model.parameters] for layer in network.layers]
        found = {"weights": xp.concatenate([_all_finite(xp, part) for part in parts], axis=1)}
        seen = [layer.normalised for layer in network.layers]
        if seen[0] is not None:
            flags = [
                _all_finite(xp, norm.mean[:, :, 0]) * _all_finite(xp, norm.variance[:, :, 0])
                for norm in seen
                if norm is not None
            ]
            found["statistics"] = xp.concatenate(flags, axis=1)
        return found


def _all_finite(xp: object, values: Array) -> Array:
    """Tell which members have only finite values, as 1 and 0. Shapes: (members, 1)."""
    return xp.isfinite(values).all(axis=1, keepdims=True).astype(np.float64)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Scale:
    """What turns sums over validation rows into metrics.

    Args:
        variances: sum of squares of each output's targets around their mean, for a regression.
        unit: what one unit of the target is worth.
    """

    task: str
    rows: int
    unit: float
    variances: NDArray[np.float64]

    @classmethod
    def of(cls, problem: Problem) -> Scale:
        """Read a problem."""
        y = np.asarray(problem.y_val, np.float64)
        variances = np.asarray(np.square(y - y.mean(axis=0)).sum(axis=0))
        return cls(problem.task, len(y), problem.target_scale, variances)

    def metrics(self, sums: dict[str, NDArray[np.float64]]) -> dict[str, float]:
        """Form one member's metrics, as metrics.py names them."""
        found = {"val_loss": float(sums["loss"][0]) / self.rows}
        if self.task != "regression":
            right = sums["right"] / self.rows
            shares = right if self.task == "multilabel" else right[:0]
            return found | {"val_accuracy": float(right.mean())} | per_output("val_accuracy", shares)
        missing = np.full_like(self.variances, np.nan)
        r2 = 1.0 - np.divide(sums["squares"], self.variances, out=missing, where=self.variances > 0.0)
        return found | {
            "val_rmse": float(np.sqrt(sums["squares"].mean() / self.rows)) * self.unit,
            "val_mae": float(sums["sizes"].mean() / self.rows) * self.unit,
            "val_r2": float(r2.mean()),
            **per_output("val_r2", r2),
        }
