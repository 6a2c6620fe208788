"""What a network that was kept says to given inputs: for the picture of its decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.heads import make_head
from nnlab.engine.network import Network, Pass, with_ones
from nnlab.engine.sizes import parameter_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.losses import Floats


class Answerer:
    """Asks networks of one shape about the same rows; which network, its parameters say.

    Batch normalisation needs running statistics besides the parameters, so such networks cannot be asked.

    Shapes: x (rows, inputs).

    Raises:
        ValueError: for a network with batch normalisation.
    """

    def __init__(self, config: TrainingConfig, task: str, outputs: int, x: NDArray[np.floating]) -> None:
        if config.batch_norm:
            raise ValueError("expected a network without batch normalisation, whose statistics are not kept")
        self._config, self._outputs, self._inputs = config, outputs, x.shape[1]
        self._network = Network(config, x.shape[1], outputs)
        self._head = make_head(config, task, outputs)
        self._x = with_ones(x, self._network.parameters.dtype.name).T
        self._pass = Pass(self._network, len(x), training=False)

    def answers(self, parameters: NDArray[np.floating]) -> Floats:
        """Compute predictions or probabilities, without dropout.

        Shapes: (parameters,) -> (outputs, rows).

        Raises:
            ValueError: if these are not the parameters of such a network.
        """
        wanted = parameter_count(self._config, self._inputs, self._outputs)
        if parameters.shape != (wanted,):
            raise ValueError(f"expected {wanted} parameters, got shape {parameters.shape}")
        self._network.parameters[:] = parameters
        with np.errstate(all="ignore"):  # of a network that diverged
            return self._head.answers(self._pass.forward(self._x))

    def labels(self, answers: Floats) -> NDArray[np.int64]:
        """Decide labels from answers. Shapes: (outputs, rows) -> (rows,)."""
        return self._head.labels(answers)
