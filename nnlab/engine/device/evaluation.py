"""Evaluation of all members at once, in blocks of rows; sums on the device, metrics on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activity import DORMANT, centred, deviations, rank_rows
from nnlab.engine.device.network import Network, Pass
from nnlab.engine.metrics import Judged, per_output, recalls, variance_ratio

if TYPE_CHECKING:
    from nnlab.engine.device.backend import Array, Backend
    from nnlab.engine.device.heads import DeviceHead, Rows
    from nnlab.engine.problem import Problem
    from nnlab.engine.records import FloatArray, IntArray

# The same for any number of members, so that none changes another's sums.
BLOCK_ROWS = 256


class Evaluator:
    """Runs over the validation rows."""

    def __init__(
        self, backend: Backend, network: Network, head: DeviceHead, rows: Rows, problem: Problem
    ) -> None:
        self._backend, self._network, self._head, self._rows = backend, network, head, rows
        self._problem = problem
        self._count = len(rows.x)
        self._passes: dict[int, Pass] = {}

    def evaluate(self, *, ranks: bool = False) -> dict[str, Array]:
        """Give sums over all rows, and what is finite. Shapes: (members, ...) of float64.

        Args:
            ranks: also give what the effective rank is computed from.
        """
        first = min(BLOCK_ROWS, self._count)
        found = self._block(slice(0, first))
        products = self._products(self._passes[first]) if ranks else {}
        for start in range(BLOCK_ROWS, self._count, BLOCK_ROWS):
            seen = self._block(slice(start, min(start + BLOCK_ROWS, self._count)))
            found = {name: found[name] + sums for name, sums in seen.items()}
        return self._shares(found) | products | self._finite()

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
            xp = self._backend.xp
            error = self._problem.unlogged(answers, xp) - self._problem.unlogged(y, xp)
            sums |= {"squares": (error * error).sum(axis=2), "sizes": xp.abs(error).sum(axis=2)}
            sums |= {"answers": answers.sum(axis=2), "answer_squares": (answers * answers).sum(axis=2)}
        else:
            sums |= self._head.counts(answers, y)
        for index, (layer, z, a) in enumerate(zip(network.layers, passed.z, passed.a, strict=False)):
            sums[f"positive/{index}"] = count - (z <= 0.0).sum(axis=2)
            wide = a.astype(np.float64)
            sums[f"totals/{index}"] = wide.sum(axis=2)
            if not layer.model.activation.can_die:
                sums[f"powers/{index}"] = (wide * wide).sum(axis=2)
        return sums

    def _shares(self, found: dict[str, Array]) -> dict[str, Array]:
        """Turn sums of units into shares, which are less to copy: as activity.py has them."""
        rows = self._count
        for index in range(len(self._network.layers) - 1):
            positive, mean = found.pop(f"positive/{index}"), found.pop(f"totals/{index}") / rows
            power = found.pop(f"powers/{index}", None)
            sizes = mean if power is None else deviations(self._backend.xp, mean, power / rows)
            average = sizes.mean(axis=1)[:, None]
            shares = {
                "dead": positive == 0,
                "zero": 1.0 - positive / rows,
                "mixed": (positive > 0) & (positive < rows),
                "dormant": sizes <= DORMANT * average,
            }
            found |= {f"{name}/{index}": flags.mean(axis=1)[:, None] for name, flags in shares.items()}
            found[f"dormant/{index}"] += 0.0 * average
        return found

    def _products(self, passed: Pass) -> dict[str, Array]:
        """Multiply the last hidden layer's centred outputs for the first rows by themselves."""
        outputs = passed.a[-1] if passed.a else passed.z[-1][:, :0]
        units = outputs.shape[1]
        rows = rank_rows(units, self._count)
        if not rows * units:
            return {}
        apart = centred(self._backend.xp, outputs[:, :, :rows])
        turned, size = apart.swapaxes(1, 2), min(units, rows)
        found = self._backend.xp.empty((len(outputs), size, size), np.float64)
        self._backend.product(*((apart, turned) if units <= rows else (turned, apart)), found)
        return {"products": found}

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


def _squares_around_mean(values: FloatArray) -> FloatArray:
    return np.asarray(np.square(values - values.mean(axis=0)).sum(axis=0))


@dataclass(frozen=True)
class Scale:
    """What turns sums over validation rows into metrics.

    Args:
        variances: sum of squares of each output's targets around their mean, for a regression.
        learned_variances: of the targets as they are learned, which may be logarithms.
        there: rows of each class, where there are classes.
        unit: what one unit of the target is worth.
    """

    task: str
    rows: int
    unit: float
    variances: FloatArray
    learned_variances: FloatArray
    there: IntArray

    @classmethod
    def of(cls, problem: Problem) -> Scale:
        """Read a problem."""
        y = np.asarray(problem.y_val, np.float64)
        learned, own = (_squares_around_mean(values) for values in (y, problem.unlogged(y)))
        has_classes = problem.task in ("binary", "multiclass")
        labels = y.astype(np.int64) if has_classes else np.empty(0, np.int64)
        there = np.bincount(labels, minlength=max(2, problem.outputs))
        return cls(problem.task, len(y), problem.error_scale, own, learned, there)

    def judged(self, sums: dict[str, FloatArray]) -> Judged:
        """Form one member's metrics and what is told beside them, as metrics.py has them."""
        found = self.metrics(sums)
        if self.task == "regression":
            means, powers = sums["answers"] / self.rows, sums["answer_squares"] / self.rows
            spread = np.square(deviations(np, means, powers))
            return Judged(found, answer_variance=variance_ratio(spread, self.learned_variances / self.rows))
        if self.task == "multilabel":
            return Judged(found)
        return Judged(found, sums["given"].astype(np.int64), recalls(sums["right"], self.there))

    def metrics(self, sums: dict[str, FloatArray]) -> dict[str, float]:
        """Form one member's metrics, as metrics.py names them."""
        found = {"val_loss": float(sums["loss"][0]) / self.rows}
        if self.task != "regression":
            if self.task != "multilabel":
                return found | {"val_accuracy": float(sums["right"].sum()) / self.rows}
            right = sums["right"] / self.rows
            return found | {"val_accuracy": float(right.mean())} | per_output("val_accuracy", right)
        missing = np.full_like(self.variances, np.nan)
        r2 = 1.0 - np.divide(sums["squares"], self.variances, out=missing, where=self.variances > 0.0)
        return found | {
            "val_rmse": float(np.sqrt(sums["squares"].mean() / self.rows)) * self.unit,
            "val_mae": float(sums["sizes"].mean() / self.rows) * self.unit,
            "val_r2": float(r2.mean()),
            **per_output("val_r2", r2),
        }
