"""Predictions of the compiled core."""

from __future__ import annotations

from ctypes import byref
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.native.structures import RunStructure, double_pointer, float_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nnlab.engine.native.examples import Examples, Floats

BLOCK_ROWS = 256  # whose activations stay in the second cache


class NativePredictor:
    """Last pre-activations of all validation rows, in one call."""

    def __init__(self, core: Any, run: RunStructure, examples: Examples) -> None:
        self._core, self._x = core, examples.x_val
        self._run = RunStructure.from_buffer_copy(run)
        self._run.batch, self._run.rows = min(BLOCK_ROWS, len(self._x)), len(self._x)
        self._run.x = float_pointer(self._x)
        self._work = examples.work("prediction", core.nn_work_floats(byref(self._run)))
        self._run.work = float_pointer(self._work)

    def __call__(self, nonzero: list[NDArray[np.int64]]) -> Iterator[tuple[slice, Floats]]:
        """Predict all rows in one call."""
        outputs = self._run.layer[self._run.layers - 1].units
        z = np.empty((outputs, len(self._x)), np.float32)
        counts = np.zeros(sum(len(part) for part in nonzero))
        self._core.nn_predict(byref(self._run), float_pointer(z), double_pointer(counts))
        start = 0
        for part in nonzero:
            np.add(part, counts[start : start + len(part)].astype(np.int64), out=part)
            start += len(part)
        yield slice(0, len(self._x)), z
