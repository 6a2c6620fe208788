"""Which tier trains a population."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.engine.device.population import DevicePopulation
from nnlab.engine.population import Population
from nnlab.engine.tiers import tier_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem

AnyPopulation = Population | DevicePopulation


def make_population(
    configs: Sequence[TrainingConfig], problem: Problem, resume: Sequence[bytes | None] | None = None
) -> AnyPopulation:
    """Build the population of configs of one shape, on the tier that trains the first.

    Args:
        resume: a checkpoint for each member, or None for one that starts anew.

    Raises:
        EngineError: as the populations, and as ``tier_for``.
    """
    is_on_device = bool(configs) and tier_for(configs[0]) == "cupy"
    return (DevicePopulation if is_on_device else Population)(configs, problem, resume)
