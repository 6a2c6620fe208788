"""What the validation loss decides in a run: when to stop it, and when to lower its learning rate."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.engine.activations import Array
    from nnlab.engine.network import Network


class Patience:
    """Counts the epochs since the loss was last below all before; the untrained network's is the first.

    With ``validate_every`` it counts evaluations, of which an epoch may then have any number.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.best = float("inf")
        self.waited = -1  # the first evaluation comes before the first epoch

    def observe(self, loss: float) -> bool:
        """Take an evaluation's loss; tell whether it is the best so far. NaN never is."""
        is_best = loss < self.best
        self.best, self.waited = (loss, 0) if is_best else (self.best, self.waited + 1)
        return is_best

    def counters(self) -> dict[str, Any]:
        """Give what a checkpoint keeps; no loss at all as None, since JSON has no infinity."""
        return {"loss": self.best if isfinite(self.best) else None, "waited": self.waited}

    def go_on(self, counters: Mapping[str, Any]) -> None:
        """Take what ``counters`` gave."""
        self.best = float("inf") if counters["loss"] is None else counters["loss"]
        self.waited = counters["waited"]

    @property
    def is_over(self) -> bool:
        """Whether so many epochs have passed."""
        return self.waited >= self.epochs


class EarlyStopping(Patience):
    """Keeps the best network, to stop after epochs without a better one and to give it back at the end."""

    def __init__(self, epochs: int, network: Network) -> None:
        super().__init__(epochs)
        self.best_step = 0
        self.best_parameters, self.best_running = network.parameters.copy(), network.running.copy()
        self._network = network

    def counters(self) -> dict[str, Any]:
        """Give what a checkpoint keeps besides the arrays."""
        return {**super().counters(), "step": self.best_step}

    def arrays(self) -> dict[str, Array]:
        """Give the best network, not copied."""
        return {"best/parameters": self.best_parameters, "best/running": self.best_running}

    def go_on(self, counters: Mapping[str, Any]) -> None:
        """Take what ``counters`` gave."""
        super().go_on(counters)
        self.best_step = counters["step"]

    def follow(self, step: int, loss: float) -> None:
        """Take an evaluation's loss, and keep the network if it is the best so far."""
        if self.observe(loss):
            self.best_step = step
            np.copyto(self.best_parameters, self._network.parameters)
            np.copyto(self.best_running, self._network.running)

    def restore(self) -> None:
        """Give the best network back."""
        np.copyto(self._network.parameters, self.best_parameters)
        np.copyto(self._network.running, self.best_running)


class Plateau(Patience):
    """Counts how often the learning rate was lowered: whenever the patience was over, which begins anew."""

    def __init__(self, epochs: int) -> None:
        super().__init__(epochs)
        self.reductions = 0

    def counters(self) -> dict[str, Any]:
        """Give what a checkpoint keeps."""
        return {**super().counters(), "reductions": self.reductions}

    def go_on(self, counters: Mapping[str, Any]) -> None:
        """Take what ``counters`` gave."""
        super().go_on(counters)
        self.reductions = counters["reductions"]

    def follow(self, loss: float) -> None:
        """Take an evaluation's loss."""
        self.observe(loss)
        if self.is_over:
            self.reductions += 1
            self.waited = 0
