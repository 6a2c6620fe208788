"""Which tier trains a network: the same specification, parameters and random numbers on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.engine.numpy_trainer import NumpyTrainer

if TYPE_CHECKING:
    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem
    from nnlab.engine.trainer import Trainer


def tier_for(config: TrainingConfig, tier: str = "auto") -> str:
    """Name the tier that would train a config on this machine."""
    return NumpyTrainer.tier


def make_trainer(config: TrainingConfig, problem: Problem, tier: str = "auto") -> Trainer:
    """Build the trainer of a config."""
    return NumpyTrainer(config, problem)
