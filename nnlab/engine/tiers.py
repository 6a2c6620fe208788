"""Which tier trains a network: the same specification, parameters and random numbers on each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nnlab.engine.errors import EngineError
from nnlab.engine.heads import fitted_head
from nnlab.engine.native import library
from nnlab.engine.native.examples import Examples
from nnlab.engine.native_trainer import NativeTrainer
from nnlab.engine.numpy_trainer import NumpyTrainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem
    from nnlab.engine.trainer import Trainer

TIERS = ("auto", "numpy", "native")


def tier_for(config: TrainingConfig, tier: str = "auto") -> str:
    """Name the tier that trains a config: the compiled core where it was built and has what is asked for.

    Args:
        tier: ``auto``, or the one that must do it; where it says auto, NNLAB_TIER may say which.

    Raises:
        EngineError: for a tier that is unknown or cannot train this config here.
    """
    if tier == "auto":
        tier = os.environ.get("NNLAB_TIER") or "auto"
    if tier not in TIERS:
        raise EngineError(f"expected a tier among {', '.join(TIERS)}, got {tier!r}; see NNLAB_TIER")
    if tier == NumpyTrainer.tier or (tier == "auto" and config.dtype != "float32"):
        return NumpyTrainer.tier
    if config.dtype != "float32":
        raise EngineError(f"expected dtype float32 on the native tier, got {config.dtype}; use numpy or auto")
    if library.load() is not None:
        return NativeTrainer.tier
    if tier == "auto":
        return NumpyTrainer.tier
    raise EngineError(f"expected the native tier, which is not here: {library.why_missing()}")


def make_trainer(
    config: TrainingConfig,
    problem: Problem,
    tier: str = "auto",
    *,
    probes: bool = True,
    examples: Examples | None = None,
) -> Trainer:
    """Build the trainer of a config.

    Args:
        probes: False leaves out what health needs, for measuring what it costs.
        examples: what ``shared_examples`` gave for several configs.

    Raises:
        EngineError: as ``tier_for``.
    """
    if tier_for(config, tier) == NativeTrainer.tier:
        return NativeTrainer(config, problem, probes=probes, examples=examples)
    return NumpyTrainer(config, problem, probes=probes)


def shared_examples(configs: Sequence[TrainingConfig], problem: Problem) -> Examples | None:
    """Convert the examples once for configs of one shape, where their tier converts them."""
    if not configs or tier_for(configs[0]) != NativeTrainer.tier:
        return None
    return Examples.of(problem, fitted_head(configs[0], problem))
