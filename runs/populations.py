"""Populations of which every member can be kept, those that have ended among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.engine.device.population import DevicePopulation
from nnlab.engine.population import Population
from nnlab.engine.tiers import tier_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.populations import AnyPopulation
    from nnlab.engine.problem import Problem


class KeptPopulation(Population):
    """A population that forgets its members when they are dropped, and not when they end."""

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        problem: Problem,
        resume: Sequence[bytes | None] | None = None,
    ) -> None:
        super().__init__(configs, problem, resume)
        self._kept = dict(self._members)

    def checkpoint(self, index: int) -> bytes:
        """Keep a member as it stands; call it right after its records, for others may be further already."""
        return self._kept[index].checkpoint()

    def drop(self, index: int) -> None:
        """Stop a member, or forget one that has ended; the others go on."""
        super().drop(index)
        self._kept.pop(index, None)


def make_population(
    configs: Sequence[TrainingConfig], problem: Problem, resume: Sequence[bytes | None]
) -> AnyPopulation:
    """Build the population of configs of one shape, on the tier that trains the first.

    Args:
        resume: a checkpoint for each member, or None for one that starts anew.

    Raises:
        EngineError: as the populations, and as ``tier_for``.
    """
    is_on_device = tier_for(configs[0]) == "cupy"
    return (DevicePopulation if is_on_device else KeptPopulation)(configs, problem, resume)
