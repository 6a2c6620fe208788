"""Evaluation: passes over all validation rows, without dropout, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.metrics import metrics
from nnlab.engine.network import Pass, with_ones
from nnlab.engine.records import Evaluation, IntArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnlab.engine.activations import Array
    from nnlab.engine.losses import Head
    from nnlab.engine.network import Network
    from nnlab.engine.problem import Problem

BLOCK_ROWS = 1024
BLOCK_VALUES = 4_000_000  # keeps the buffers of very wide networks small


# Gives, block by block, which rows these are and their last pre-activations (outputs, rows), and adds to the
# arrays, one for each hidden layer, for how many rows each unit is not 0.
Predict = Callable[[list[IntArray]], "Iterator[tuple[slice, Array]]"]


def block_rows(network: Network, rows: int) -> int:
    """Bound the rows of a block, so that the buffers of wide networks stay small."""
    widest = max(layer.units for layer in network.layers)
    return min(rows, BLOCK_ROWS, max(1, BLOCK_VALUES // widest))


class NumpyPredictor:
    """Predicts block by block with NumPy; keeps its buffers from one evaluation to the next."""

    def __init__(self, network: Network, problem: Problem) -> None:
        with np.errstate(all="ignore"):  # values beyond float32 become inf and are reported as such
            self._x = with_ones(problem.x_val, network.parameters.dtype.name)
        self._block = block_rows(network, len(self._x))
        self._pass = Pass(network, self._block, training=False)
        rest = len(self._x) % self._block
        self._last_pass = Pass(network, rest, training=False) if rest else self._pass

    def __call__(self, nonzero: list[IntArray]) -> Iterator[tuple[slice, Array]]:
        """Run over all rows once."""
        for start in range(0, len(self._x), self._block):
            rows = slice(start, min(start + self._block, len(self._x)))
            passed = self._pass if rows.stop - start == self._block else self._last_pass
            z = passed.forward(self._x[rows].T)
            for counts, trace in zip(nonzero, passed.traces, strict=True):
                np.add(counts, np.count_nonzero(trace.a, axis=1), out=counts)
            yield rows, z


class Evaluator:
    """Evaluates a network on the validation rows."""

    def __init__(self, network: Network, head: Head, problem: Problem, predict: Predict) -> None:
        self._network, self._head, self._problem, self._predict = network, head, problem, predict
        self._targets = head.encode(problem.y_val)
        self._rows = len(problem.x_val)

    def evaluate(self, step: int, epoch: int) -> Evaluation:
        """Run over all validation rows once."""
        hidden = self._network.layers[:-1]
        nonzero = [np.zeros(layer.units, np.int64) for layer in hidden]
        answers = np.empty((self._head.outputs, self._rows))
        loss = 0.0
        for rows, z in self._predict(nonzero):
            d = np.empty_like(z)
            loss += self._head.loss_and_gradient(z, self._targets[rows], d) * z.shape[1]
            answers[:, rows] = self._head.answers(z)
        dead = [
            float((counts == 0).mean()) if layer.activation.can_die else float("nan")
            for counts, layer in zip(nonzero, hidden, strict=True)
        ]
        return Evaluation(
            step=step,
            epoch=epoch,
            metrics={"val_loss": loss / self._rows, **metrics(self._head, answers, self._problem)},
            dead_share=np.array(dead),
            zero_share=np.array([1.0 - float(counts.mean()) / self._rows for counts in nonzero]),
            rows=self._rows,
        )
