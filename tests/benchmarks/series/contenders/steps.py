"""What a training loop does in a step, for the time that a step is to take."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

STEP_SECONDS = 100e-6  # of a loop of 10,000 steps a second

_NOTHING: Mapping[str, float] = {}


class Work:
    """As many products of small matrices as fill the time of a step."""

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(0).standard_normal((48, 48)).astype(np.float32)
        self._products = 1
        while self.seconds() < STEP_SECONDS:
            self._products += 1

    def step(self, row: Mapping[str, float] = _NOTHING) -> None:
        """Do a step's work, and read its values: to a program that has just computed them they are near."""
        for _ in range(self._products):
            self._matrix @ self._matrix
        tuple(row.values())

    def seconds(self) -> float:
        """Give the seconds of a step."""
        found = []
        for _ in range(50):
            began = perf_counter()
            self.step()
            found.append(perf_counter() - began)
        return sorted(found)[len(found) // 2]
