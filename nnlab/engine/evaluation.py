"""Evaluation: passes over all validation rows, without dropout, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activity import Activity, Layers, rank_of, rank_rows, unit_shares
from nnlab.engine.metrics import judged, metrics_of
from nnlab.engine.network import Pass, with_ones
from nnlab.engine.records import Evaluation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnlab.engine.activations import Array, Trace
    from nnlab.engine.losses import Head
    from nnlab.engine.network import Network
    from nnlab.engine.problem import Problem
    from nnlab.engine.records import FloatArray

BLOCK_ROWS = 1024
BLOCK_VALUES = 4_000_000  # keeps the buffers of very wide networks small


# Gives, block by block, which rows these are and their last pre-activations (outputs, rows), and fills in
# what the hidden units do.
Predict = Callable[[Activity], "Iterator[tuple[slice, Array]]"]


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
        self._dies = [layer.activation.can_die for layer in network.layers[:-1]]
        rest = len(self._x) % self._block
        self._last_pass = Pass(network, rest, training=False) if rest else self._pass

    def __call__(self, activity: Activity) -> Iterator[tuple[slice, Array]]:
        """Run over all rows once."""
        for start in range(0, len(self._x), self._block):
            rows = slice(start, min(start + self._block, len(self._x)))
            passed = self._pass if rows.stop - start == self._block else self._last_pass
            z = passed.forward(self._x[rows].T)
            first = 0
            for trace, dies in zip(passed.traces, self._dies, strict=True):
                add_block(activity.sums[:, first : first + len(trace.a)], trace, dies=dies)
                first += len(trace.a)
            if activity.outputs is not None:
                kept = activity.outputs[:, rows]
                kept[:] = passed.traces[-1].a[:, : kept.shape[1]]
            yield rows, z


def add_block(sums: FloatArray, trace: Trace, *, dies: bool) -> None:
    """Add a layer's block of rows to the sums of its units, as Activity has them."""
    a, work = trace.a, trace.work
    rows = a.shape[1]
    ones = np.ones(rows, a.dtype)
    np.less_equal(trace.z, 0.0, out=work)  # NaN is not dead
    sums[0] += rows - work @ ones
    if dies:
        sums[1] += a @ ones
        return
    # Squares of differences keep the digits of a variance that is far smaller than the mean.
    start = a[:, 0].astype(np.float64)
    np.subtract(a, a[:, :1], out=work)
    differences = (work @ ones).astype(np.float64)
    sums[1] += differences + rows * start
    sums[2] += np.vecdot(work, work) + start * (2.0 * differences + rows * start)


class Evaluator:
    """Evaluates a network on the validation rows."""

    def __init__(self, network: Network, head: Head, problem: Problem, predict: Predict) -> None:
        self._network, self._head, self._problem, self._predict = network, head, problem, predict
        self._targets = head.encode(problem.y_val)
        self._rows = len(problem.x_val)
        self._layers = Layers(network.layers[:-1])
        self._unknown = np.full(len(network.layers) - 1, np.nan)

    def evaluate(self, step: int, epoch: int, *, ranks: bool = False, is_brief: bool = False) -> Evaluation:
        """Run over all validation rows once.

        Args:
            ranks: take the effective rank, which costs more than all else.
            is_brief: tell loss and score alone.
        """
        activity = self._activity(ranks=ranks)
        answers = np.empty((self._head.outputs, self._rows))
        loss = 0.0
        for rows, z in self._predict(activity):
            d = np.empty_like(z)
            loss += self._head.loss_and_gradient(z, self._targets[rows], d) * z.shape[1]
            answers[:, rows] = self._head.answers(z)
        if is_brief:
            scores = {"val_loss": loss / self._rows, **metrics_of(self._head, answers, self._problem)}
            return Evaluation(step, epoch, scores, self._unknown, self._unknown, self._rows, is_brief=True)
        found = judged(self._head, answers, self._problem)
        shares = unit_shares(activity.sums, self._rows, self._layers)
        return Evaluation(
            step=step,
            epoch=epoch,
            metrics={"val_loss": loss / self._rows, **found.metrics},
            dead_share=shares["dead"],
            zero_share=shares["zero"],
            rows=self._rows,
            dormant_share=shares["dormant"],
            mixed_share=shares["mixed"],
            effective_rank=None if activity.outputs is None else rank_of(activity.outputs),
            predicted=found.predicted,
            recall=found.recall,
            answer_variance=found.answer_variance,
        )

    def _activity(self, *, ranks: bool) -> Activity:
        hidden = self._network.layers[:-1]
        sums = np.zeros((3, len(self._layers.dies)))
        rows = rank_rows(hidden[-1].units, self._rows) if ranks and hidden else 0
        if not rows:
            return Activity(sums, None)
        return Activity(sums, np.empty((hidden[-1].units, rows), self._network.parameters.dtype))
