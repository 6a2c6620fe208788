"""Examples as the compiled core reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.alignment import aligned_zeros

if TYPE_CHECKING:
    from nnlab.engine.losses import Head
    from nnlab.engine.problem import Problem

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """Training and validation rows as the core reads them, and its working memory.

    Members of a population share one: none of it outlives a call.

    Shapes: x (rows, inputs); targets (rows, outputs), or (rows, 1) of classes; weights alike, or (rows, 0).
    """

    x: Floats
    targets: Floats
    weights: Floats
    x_val: Floats
    _scratch: dict[tuple[str, int], Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, head: Head) -> Examples:
        """Convert once what every step reads."""
        with np.errstate(all="ignore"):  # values beyond float32 become inf and are reported as such
            targets = head.encode(problem.y_train)
            weights = np.ones((targets.shape[1], len(targets)))
            head.weigh(targets, weights)
            kept = np.empty((len(targets), 0)) if head.class_weights is None else weights.T
            return cls(_floats(problem.x_train), _floats(targets), _floats(kept), _floats(problem.x_val))

    def work(self, use: str, floats: int) -> Floats:
        """Give working memory for a use."""
        if (use, floats) not in self._scratch:
            self._scratch[use, floats] = aligned_zeros(floats, np.float32)
        return self._scratch[use, floats]

    @cached_property
    def sorting(self) -> NDArray[np.uint64]:
        """Working memory for drawing the order of the rows."""
        return np.empty(2 * len(self.x), np.uint64)


def _floats(array: NDArray[Any]) -> Floats:
    return np.ascontiguousarray(array, np.float32)
