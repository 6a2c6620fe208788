"""What the engine is asked to learn: arrays and the kind of answer wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.errors import ProblemError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TASKS = ("regression", "binary", "multiclass", "multilabel")


@dataclass(frozen=True)
class Problem:
    """Training and validation examples of one task.

    Shapes: x (rows, inputs). y by task: regression (rows, outputs) floats; binary (rows,) of 0 and 1;
    multiclass (rows,) of class indices 0 .. outputs-1; multilabel (rows, outputs) of 0 and 1.

    Args:
        outputs: units of the output layer; 1 for binary.
        target_scale: what one unit of a regression target is worth in its own unit, so that errors are
            reported there (100,000 USD for a label stored in 100,000s).

    Raises:
        ProblemError: for an unknown task, shapes that do not fit, values that are not finite, labels
            outside the classes, or no rows.
    """

    task: str
    x_train: NDArray[np.floating]
    y_train: NDArray[np.generic]
    x_val: NDArray[np.floating]
    y_val: NDArray[np.generic]
    outputs: int
    target_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ProblemError(f"expected a task among {', '.join(TASKS)}, got {self.task!r}")
        if not self.outputs >= 1:
            raise ProblemError(f"expected outputs of at least 1, got {self.outputs!r}")
        if self.task == "binary" and self.outputs != 1:
            raise ProblemError(f"expected 1 output for a binary task, got {self.outputs}; use multiclass")
        if not 0 < self.target_scale < float("inf"):
            raise ProblemError(f"expected a target_scale above 0, got {self.target_scale!r}")
        for name, x, y in (("train", self.x_train, self.y_train), ("val", self.x_val, self.y_val)):
            self._check_inputs(name, x)
            self._check_targets(name, y, len(x))
        if self.x_train.shape[1] != self.x_val.shape[1]:
            raise ProblemError(
                f"expected as many columns in x_val as in x_train ({self.x_train.shape[1]}),"
                f" got {self.x_val.shape[1]}; prepare both alike"
            )

    def _check_inputs(self, name: str, x: NDArray[np.generic]) -> None:
        if x.ndim != 2 or x.shape[1] < 1:
            raise ProblemError(f"expected x_{name} of shape (rows, inputs), got {x.shape}")
        if len(x) < 1:
            raise ProblemError(f"expected at least one row in x_{name}, got none; change the split")
        _check_finite(f"x_{name}", x)

    def _check_targets(self, name: str, y: NDArray[np.generic], rows: int) -> None:
        flat = self.task in ("binary", "multiclass")
        expected = (rows,) if flat else (rows, self.outputs)
        if y.shape != expected:
            raise ProblemError(f"expected y_{name} of shape {expected} for a {self.task} task, got {y.shape}")
        _check_finite(f"y_{name}", y)
        if self.task == "regression":
            return
        classes = self.outputs if self.task == "multiclass" else 2
        bad = y[~np.isin(y, np.arange(classes))]
        if bad.size:
            raise ProblemError(f"expected labels 0 to {classes - 1} in y_{name}, got {bad[0]!s}")


def _check_finite(name: str, values: NDArray[np.generic]) -> None:
    if values.dtype.kind not in "biuf":
        raise ProblemError(f"expected numbers in {name}, got the type {values.dtype}")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise ProblemError(
            f"expected finite numbers in {name}, got {values[tuple(bad[0])]!s} in row {bad[0][0]};"
            " drop or fill such rows"
        )
