"""What the engine is asked to learn: arrays and the kind of answer wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.errors import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TASKS = ("regression", "binary", "multiclass", "multilabel")


@dataclass(frozen=True)
class Problem:
    """Training and validation examples of one task, and those that it is tested on when it has ended.

    Shapes: x (rows, inputs). y by task: regression (rows, outputs) floats; binary (rows,) of 0 and 1;
    multiclass (rows,) of class indices 0 .. outputs-1; multilabel (rows, outputs) of 0 and 1.

    Args:
        outputs: units of the output layer; 1 for binary.
        target_scale: what one unit of a regression target is worth in its own unit, so that errors are
            reported there (100,000 USD for a label stored in 100,000s).
        target_offset: what a target of 0 stands for; of use only where ``target_is_log``.
        target_is_log: a target times the scale plus the offset is log(1 + its value in its own unit).
        x_test: rows that nothing is chosen by; None for none. ``y_test`` belongs to them.

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
    target_offset: float = 0.0
    target_is_log: bool = False
    x_test: NDArray[np.floating] | None = None
    y_test: NDArray[np.generic] | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ProblemError(f"expected a task among {', '.join(TASKS)}, got {self.task!r}")
        if not self.outputs >= 1:
            raise ProblemError(f"expected outputs of at least 1, got {self.outputs!r}")
        if self.task == "binary" and self.outputs != 1:
            raise ProblemError(f"expected 1 output for a binary task, got {self.outputs}; use multiclass")
        self._check_unit()
        if (self.x_test is None) != (self.y_test is None):
            raise ProblemError("expected x_test and y_test, got only one of them; give both or none")
        for name, x, y in self._parts():
            self._check_inputs(name, x)
            self._check_targets(name, y, len(x))
            if self.x_train.shape[1] != x.shape[1]:
                raise ProblemError(
                    f"expected as many columns in x_{name} as in x_train ({self.x_train.shape[1]}),"
                    f" got {x.shape[1]}; prepare both alike"
                )

    @property
    def error_scale(self) -> float:
        """What differences of ``unlogged`` targets are multiplied by, to be in the target's own unit."""
        return 1.0 if self.target_is_log else self.target_scale

    def unlogged(self, targets: Any, xp: Any = np) -> Any:
        """Undo the logarithm of targets or answers; others stay as they are.

        Args:
            targets: an array of ``xp``.
        """
        if not self.target_is_log:
            return targets
        return xp.expm1(targets * self.target_scale + self.target_offset)

    def tested(self) -> Problem | None:
        """Put the test rows in the place of the validation rows; None where there are none."""
        if self.x_test is None or self.y_test is None:
            return None
        return replace(self, x_val=self.x_test, y_val=self.y_test, x_test=None, y_test=None)

    def _parts(self) -> Iterator[tuple[str, NDArray[np.floating], NDArray[np.generic]]]:
        yield "train", self.x_train, self.y_train
        yield "val", self.x_val, self.y_val
        if self.x_test is not None and self.y_test is not None:
            yield "test", self.x_test, self.y_test

    def _check_unit(self) -> None:
        if not 0 < self.target_scale < float("inf"):
            raise ProblemError(f"expected a target_scale above 0, got {self.target_scale!r}")
        if not np.isfinite(self.target_offset):
            raise ProblemError(f"expected a finite target_offset, got {self.target_offset!r}")

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
