"""What the engine is asked to learn: arrays and the kind of answer wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlab.engine.errors import ProblemError

if TYPE_CHECKING:
    import numpy as np
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
