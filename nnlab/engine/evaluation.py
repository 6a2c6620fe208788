"""Evaluation: passes over all validation rows, without dropout, in blocks of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.metrics import metrics
from nnlab.engine.network import Pass, with_ones
from nnlab.engine.records import Evaluation

if TYPE_CHECKING:
    from nnlab.engine.losses import Head
    from nnlab.engine.network import Network
    from nnlab.engine.problem import Problem

BLOCK_ROWS = 1024
BLOCK_VALUES = 4_000_000  # keeps the buffers of very wide networks small


class Evaluator:
    """Evaluates a network on the validation rows; keeps its buffers from one evaluation to the next."""

    def __init__(self, network: Network, head: Head, problem: Problem) -> None:
        self._network, self._head, self._problem = network, head, problem
        self._x = with_ones(problem.x_val, network.parameters.dtype.name)
        self._targets = head.encode(problem.y_val)
        self._rows = len(self._x)
        widest = max(layer.units for layer in network.layers)
        self._block = min(self._rows, BLOCK_ROWS, max(1, BLOCK_VALUES // widest))
        self._pass = Pass(network, self._block, training=False)
        rest = self._rows % self._block
        self._last_pass = Pass(network, rest, training=False) if rest else self._pass

    def evaluate(self, step: int, epoch: int) -> Evaluation:
        """Run over all validation rows once."""
        hidden = self._network.layers[:-1]
        nonzero = [np.zeros(layer.units, np.int64) for layer in hidden]
        answers = np.empty((self._head.outputs, self._rows))
        loss = 0.0
        for start in range(0, self._rows, self._block):
            stop = min(start + self._block, self._rows)
            passed = self._pass if stop - start == self._block else self._last_pass
            z = passed.forward(self._x[start:stop].T)
            loss += self._head.loss_and_gradient(z, self._targets[start:stop], passed.d) * (stop - start)
            answers[:, start:stop] = self._head.answers(z)
            for counts, trace in zip(nonzero, passed.traces, strict=True):
                np.add(counts, np.count_nonzero(trace.a, axis=1), out=counts)
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
