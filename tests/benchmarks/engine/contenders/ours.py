"""Our engine: one trainer of a tier, or a population."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine import tiers
from nnlab.engine.errors import EngineError
from nnlab.engine.native_members import Lanes, can_be_member
from nnlab.engine.native_trainer import NativeTrainer
from tests.benchmarks.engine.contender import Unable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.records import Records
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
    """All members of a population; nobody evaluates, as no peer does. ``option`` is the tier."""

    def __init__(self, workload: Workload, option: str) -> None:
        _demand(workload.config, option)
        self.tier, self.configs, self.problem = option, workload.configs(), workload.problem()
        self.train = self._start(self.configs)

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew."""
        train = self._start([replace(config, dropout=0.0) for config in self.configs])
        return np.stack([records.losses for records in train(steps)])

    def run(self, steps: int) -> int:
        """Train on."""
        self.train(steps)
        return steps

    def versions(self) -> dict[str, str]:
        """Name the product's and NumPy's."""
        return {"nnlab": version("nnlab"), "numpy": np.__version__}

    def _start(self, configs: list[TrainingConfig]) -> Callable[[int], list[Records]]:
        """Build the members, as a function that trains them: a lane each, or one after the other."""
        trainers = [tiers.make_trainer(config, self.problem, self.tier) for config in configs]
        small = [one for one in trainers if isinstance(one, NativeTrainer) and can_be_member(one)]
        if len(small) == len(trainers):
            lanes = Lanes(small)
            return lambda steps: lanes.run_chunks(small, steps)
        return lambda steps: [trainer.run_chunk(steps) for trainer in trainers]
