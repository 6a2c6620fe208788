"""Predictions of the compiled core."""

from __future__ import annotations

from ctypes import byref
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.native.structures import RunStructure, double_pointer, float_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnlab.engine.activity import Activity
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

    def __call__(self, activity: Activity) -> Iterator[tuple[slice, Floats]]:
        """Predict all rows in one call."""
        units = self._run.layer[self._run.layers - 1].units
        z = np.empty((units, len(self._x)), np.float32)
        kept = np.empty((0, 0), np.float32) if activity.outputs is None else activity.outputs
        sums = double_pointer(activity.sums)
        self._core.nn_predict(byref(self._run), float_pointer(z), sums, float_pointer(kept), kept.shape[1])
        yield slice(0, len(self._x)), z
