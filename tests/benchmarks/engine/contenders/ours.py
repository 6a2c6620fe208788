"""Our engine: one trainer of a tier, or a population."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine import population, tiers
from nnlab.engine.errors import EngineError
from tests.benchmarks.engine.contender import Unable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnlab.engine.config import TrainingConfig
    from tests.benchmarks.engine.workloads import Workload


def _demand(config: TrainingConfig, tier: str) -> None:
    try:
        tiers.tier_for(config, tier)
    except EngineError as error:
        raise Unable(str(error)) from error


class Trainer:
    """``option`` is the tier, with ``-blind`` behind it for one whose probes are off."""

    def __init__(self, workload: Workload, option: str) -> None:
        tier, _, blind = option.partition("-")
        config = workload.config
        _demand(config, tier)
        self.problem, self.config = workload.problem(), config
        self.options: dict[str, Any] = {"tier": tier} | ({"probes": False} if blind else {})
        self.trainer = tiers.make_trainer(config, self.problem, **self.options)

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew."""
        config = replace(self.config, dropout=0.0)
        return tiers.make_trainer(config, self.problem, **self.options).run_chunk(steps).losses

    def run(self, steps: int) -> int:
        """Train on."""
        return len(self.trainer.run_chunk(steps).losses)

    def versions(self) -> dict[str, str]:
        """Name the product's and NumPy's."""
        return {"nnlab": version("nnlab"), "numpy": np.__version__}


class Members:
    """A population, its records read as they come."""

    def __init__(self, workload: Workload, option: str) -> None:
        os.environ["NNLAB_TIER"] = option
        _demand(workload.config, option)
        self.workload, self.problem = workload, workload.problem()
        self.members = self._build(workload.configs())

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew."""
        members = self._build(
            [replace(config, dropout=0.0, steps=steps) for config in self.workload.configs()]
        )
        found: list[list[float]] = [[] for _ in range(self.workload.members)]
        for index, records in members:
            found[index].extend(records.losses)
        return np.array(found)

    def run(self, steps: int) -> float:
        """Train on, until all members together have done their steps."""
        wanted, done = steps * self.workload.members, 0
        while done < wanted:
            done += len(next(self.members)[1].losses)
        return done / self.workload.members  # some may be ahead

    def versions(self) -> dict[str, str]:
        """Name the product's and NumPy's."""
        return {"nnlab": version("nnlab"), "numpy": np.__version__}

    def _build(self, configs: list[Any]) -> Any:
        return population.Population(configs, self.problem)
