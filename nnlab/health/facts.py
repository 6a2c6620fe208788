"""Facts of the examples that a run learns from, taken once before step 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnlab.health.overlap import Overlap, find_overlap

if TYPE_CHECKING:
    from nnlab.engine.problem import Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_VALUES = 1_000_000  # that means and deviations are taken of: every k-th row where there are more
BOUNDED = 1.0  # columns from -1 to 1, as pixels and one-hot columns are, harm nothing by their mean
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ColumnFacts:
    """The input columns of the training rows.

    Shapes: all (columns,).

    Args:
        low: smallest value, of all rows.
        high: largest value, of all rows.
        mean: of at most a million values, as is ``deviation``.
        deviation: standard deviation.
    """

    low: FloatArray
    high: FloatArray
    mean: FloatArray
    deviation: FloatArray

    @cached_property
    def largest(self) -> FloatArray:
        """Largest absolute value."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @cached_property
    def offset(self) -> FloatArray:
        """Absolute mean over deviation; 0 for columns within -1 and 1 and for constant ones."""
        counted = (self.largest > BOUNDED) & (self.deviation > 0)
        return np.divide(np.abs(self.mean), self.deviation, out=np.zeros_like(self.mean), where=counted)

    @cached_property
    def disparity(self) -> float:
        """Largest value of the largest column over that of the smallest; columns of zeros do not count."""
        used = self.largest[self.largest > 0]
        return float(used.max() / used.min()) if len(used) else 1.0

    @cached_property
    def constant(self) -> IntArray:
        """Indices of the columns that always hold the same number, not 0.

        Columns of zeros, as at the border of images, change nothing: their weights are never used.
        """
        return np.flatnonzero((self.low == self.high) & (self.low != 0))


@dataclass(frozen=True)
class TargetFacts:
    """The targets of a regression or of independent labels.

    Args:
        variance: of the training targets; the largest of the outputs.
        low: smallest training target.
        high: largest training target.
        below_minus_one: share of the training targets below -1.
        below_zero: share below 0.
        above_one: share above 1.
        sum_to_one: share of the training rows whose targets sum to 1.
        zero_losses: by loss, what the answer 0 costs on the validation rows.
    """

    variance: float
    low: float
    high: float
    below_minus_one: float
    below_zero: float
    above_one: float
    sum_to_one: float
    zero_losses: Mapping[str, float]


@dataclass(frozen=True)
class DataFacts:
    """What checks know of the examples.

    Shapes: ``label_correlation`` (columns,); ``train_counts`` and ``validation_counts`` (classes,).

    Args:
        train_rows: examples to learn from.
        validation_rows: examples held out.
        overlap: validation rows that are training rows as well.
        label_correlation: largest absolute correlation of a column with the label or with one class against
            the others, of at most a million values; None where there are no classes.
        train_counts: training rows of each class; None where there are no classes.
        validation_counts: validation rows of each class.
        targets: None where there are classes.
    """

    train_rows: int
    validation_rows: int
    columns: ColumnFacts
    overlap: Overlap
    label_correlation: FloatArray | None = None
    train_counts: IntArray | None = None
    validation_counts: IntArray | None = None
    targets: TargetFacts | None = None


def describe_data(problem: Problem) -> DataFacts:
    """Look at a problem's examples: once for all runs that learn from them."""
    low, high = _extremes(problem.x_train)
    stride = -(-problem.x_train.size // MOST_VALUES)
    sample = problem.x_train[::stride].astype(np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    deviation = np.sqrt(np.einsum("ij,ij->j", sample, sample) / len(sample))
    deviation[low == high] = 0.0  # the mean is rounded
    columns = ColumnFacts(low, high, mean, deviation)
    facts = DataFacts(len(problem.x_train), len(problem.x_val), columns, find_overlap(problem))
    if problem.task in ("regression", "multilabel"):
        return replace(facts, targets=_targets(problem))
    train, validation = (y.astype(np.int64) for y in (problem.y_train, problem.y_val))
    classes = 2 if problem.task == "binary" else problem.outputs
    return replace(
        facts,
        label_correlation=_label_correlation(sample, deviation, train[::stride]),
        train_counts=np.bincount(train, minlength=classes),
        validation_counts=np.bincount(validation, minlength=classes),
    )


def _extremes(x: NDArray[np.floating]) -> tuple[FloatArray, FloatArray]:
    return x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)


def _label_correlation(centred: FloatArray, deviation: FloatArray, labels: IntArray) -> FloatArray:
    """Correlate each column with the label and with each class against the others, from the class means."""
    order = np.argsort(labels, kind="stable")
    classes, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    none = np.zeros_like(deviation)
    if len(classes) < 2:
        return none
    shares = counts / len(labels)
    means = np.add.reduceat(centred[order], starts) / counts[:, None]  # (classes, columns)
    by_class = np.abs(means * np.sqrt(shares / (1 - shares))[:, None]).max(axis=0)
    steps = classes - shares @ classes
    by_label = np.abs((shares * steps) @ means) / np.sqrt(shares @ np.square(steps))
    largest = np.maximum(by_class, by_label)
    return np.asarray(np.divide(largest, deviation, out=none, where=deviation > 0))


def _targets(problem: Problem) -> TargetFacts:
    y = problem.y_train.astype(np.float64)
    held_out = np.abs(problem.y_val.astype(np.float64))
    squares = float(np.square(held_out).mean())
    cut = np.minimum(held_out, 1.0)
    return TargetFacts(
        variance=float(y.var(axis=0).max()),
        low=float(y.min()),
        high=float(y.max()),
        below_minus_one=float((y < -1).mean()),
        below_zero=float((y < 0).mean()),
        above_one=float((y > 1).mean()),
        sum_to_one=float((np.abs(y.sum(axis=1) - 1) < SUM_TOLERANCE).mean()),
        zero_losses={
            "mse": squares,
            "half_mse": squares / 2,
            "mae": float(held_out.mean()),
            "huber": float((cut * (held_out - cut / 2)).mean()),
        },
    )
