"""Our engine: one trainer of a tier, or a population."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine import tiers
from nnlab.engine.errors import EngineError
from tests.benchmarks.engine.contender import Unable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnlab.engine import trainer
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
    """All members of a population in turn; nobody evaluates, as no peer does. ``option`` is the tier."""

    def __init__(self, workload: Workload, option: str) -> None:
        _demand(workload.config, option)
        self.tier, self.configs, self.problem = option, workload.configs(), workload.problem()
        self.members = self._build(self.configs)

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew."""
        members = self._build([replace(config, dropout=0.0) for config in self.configs])
        return np.stack([member.run_chunk(steps).losses for member in members])

    def run(self, steps: int) -> int:
        """Train on."""
        for member in self.members:
            member.run_chunk(steps)
        return steps

    def versions(self) -> dict[str, str]:
        """Name the product's and NumPy's."""
        return {"nnlab": version("nnlab"), "numpy": np.__version__}

    def _build(self, configs: list[TrainingConfig]) -> list[trainer.Trainer]:
        return [tiers.make_trainer(config, self.problem, self.tier) for config in configs]
