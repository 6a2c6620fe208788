"""Metrics of answers on validation rows, in the terms users read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnlab.engine.losses import Floats, Head
    from nnlab.engine.problem import Problem
    from nnlab.engine.records import FloatArray, IntArray

# Beyond this many outputs, one metric each would crowd out everything else.
MAX_METRICS_PER_OUTPUT = 16


def headline(task: str) -> str:
    """Name the metric that a run is judged by."""
    return "val_rmse" if task == "regression" else "val_accuracy"


@dataclass(frozen=True)
class Judged:
    """What answers are worth: metrics by name, and what the records of an evaluation tell beside them."""

    metrics: dict[str, float]
    predicted: IntArray | None = None
    recall: FloatArray | None = None
    answer_variance: float | None = None


def judged(head: Head, answers: Floats, problem: Problem) -> Judged:
    """Compare answers (outputs, rows) with the validation targets."""
    if problem.task == "regression":
        expected = np.asarray(problem.y_val, np.float64)
        found = _regression(answers.T, expected, problem)
        return Judged(found, answer_variance=variance_ratio(answers.var(axis=1), expected.var(axis=0)))
    labels = head.labels(answers)
    found = _accuracies(labels, problem.y_val)
    if problem.task == "multilabel":
        return Judged(found)
    classes = max(2, problem.outputs)
    known = np.asarray(problem.y_val, np.int64)
    there = np.bincount(known, minlength=classes)
    right = np.bincount(known[labels == known], minlength=classes)
    return Judged(found, np.bincount(labels, minlength=classes), recalls(right, there))


def metrics_of(head: Head, answers: Floats, problem: Problem) -> dict[str, float]:
    """Give the metrics that ``judged`` gives, alone."""
    if problem.task == "regression":
        return _regression(answers.T, np.asarray(problem.y_val, np.float64), problem)
    return _accuracies(head.labels(answers), problem.y_val)


def recalls(right: FloatArray | IntArray, there: IntArray) -> FloatArray:
    """Divide each class's rows that are answered right by all of its rows; NaN where it has none."""
    missing = np.full(len(there), np.nan)
    return np.asarray(np.divide(right, there, out=missing, where=there > 0), np.float64)


def variance_ratio(answers: FloatArray, targets: FloatArray) -> float:
    """Divide the answers' variance by that of the targets, each over all outputs; NaN for constant ones."""
    wanted = float(targets.sum())
    return float(answers.sum()) / wanted if wanted > 0.0 else float("nan")


def baseline_metric(problem: Problem) -> float:
    """Score the best constant prediction of the training targets on the validation rows."""
    if problem.task == "regression":
        train, held_back = (
            problem.unlogged(np.asarray(y, np.float64)) for y in (problem.y_train, problem.y_val)
        )
        error = held_back - train.mean(axis=0, keepdims=True)
        return float(np.sqrt(np.square(error).mean())) * problem.error_scale
    labels = np.asarray(problem.y_train)
    if problem.task == "multilabel":
        commonest: NDArray[np.generic] = labels.mean(axis=0) > 0.5
    else:
        commonest = np.asarray(np.bincount(labels.astype(np.int64)).argmax())
    return float((np.asarray(problem.y_val) == commonest).mean())


def _regression(predicted: Floats, expected: Floats, problem: Problem) -> dict[str, float]:
    predicted, expected, scale = problem.unlogged(predicted), problem.unlogged(expected), problem.error_scale
    error = predicted - expected
    squares = np.square(error)
    variances = np.square(expected - expected.mean(axis=0)).sum(axis=0)
    # R2 of a constant target is not defined.
    missing = np.full_like(variances, np.nan)
    r2 = 1.0 - np.divide(squares.sum(axis=0), variances, out=missing, where=variances > 0.0)
    return {
        "val_rmse": float(np.sqrt(squares.mean())) * scale,
        "val_mae": float(np.abs(error).mean()) * scale,
        "val_r2": float(r2.mean()),
        **per_output("val_r2", r2),
    }


def _accuracies(predicted: NDArray[np.int64], expected: NDArray[np.generic]) -> dict[str, float]:
    right = predicted == expected
    found = {"val_accuracy": float(right.mean())}
    return found | (per_output("val_accuracy", right.mean(axis=0)) if right.ndim == 2 else {})


def per_output(name: str, values: Floats) -> dict[str, float]:
    """Name one metric for each output, where there are several: val_r2/1, val_r2/2 ..."""
    if not 2 <= len(values) <= MAX_METRICS_PER_OUTPUT:
        return {}
    return {f"{name}/{index}": float(value) for index, value in enumerate(values, start=1)}
