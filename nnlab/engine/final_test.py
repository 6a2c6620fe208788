"""The one look at the test rows, when a run has ended and nothing can be chosen by them any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.evaluation import Evaluator, NumpyPredictor

if TYPE_CHECKING:
    from nnlab.engine.losses import Head
    from nnlab.engine.network import Network
    from nnlab.engine.problem import Problem


def final_scores(network: Network, head: Head, problem: Problem) -> dict[str, float]:
    """Measure a trained network on the test rows, with NumPy on every tier; nothing where there are none.

    The metrics are those of the validation rows, each with ``test_`` in the place of ``val_``.
    """
    tested = problem.tested()
    if tested is None:
        return {}
    with np.errstate(all="ignore"):
        evaluator = Evaluator(network, head, tested, NumpyPredictor(network, tested))
        found = evaluator.evaluate(0, 0, is_brief=True).metrics
    return {name.replace("val_", "test_", 1): value for name, value in found.items()}
