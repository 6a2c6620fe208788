"""Which tier trains a network: the same specification, parameters and random numbers on each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nnlab.engine.config import ERROR_LOSSES, NATIVE_ACTIVATIONS, NATIVE_OUTPUTS, PROBABILITY_LOSSES
from nnlab.engine.device import cupy_backend
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

TIERS = ("auto", "numpy", "native", "cupy")
_FLOAT32_ONLY = ("native", "cupy")


def tier_for(config: TrainingConfig, tier: str = "auto") -> str:
    """Name the tier that trains a config: the compiled core where it was built and has what is asked for.

    Args:
        tier: ``auto``, or the one that must do it; where it says auto, NNLAB_TIER may say which. ``cupy``,
            which trains populations, is taken only where it is asked for.

    Raises:
        EngineError: for a tier that is unknown or cannot train this config here.
    """
    if tier == "auto":
        tier = os.environ.get("NNLAB_TIER") or "auto"
    if tier not in TIERS:
        raise EngineError(f"expected a tier among {', '.join(TIERS)}, got {tier!r}; see NNLAB_TIER")
    if tier == "auto":
        is_native = config.dtype == "float32" and not _odd_part(config) and library.load() is not None
        return "native" if is_native else "numpy"
    if tier in _FLOAT32_ONLY and config.dtype != "float32":
        raise EngineError(f"expected dtype float32 on the {tier} tier, got {config.dtype}; use numpy or auto")
    odd = _odd_part(config)
    if tier in _FLOAT32_ONLY and odd:
        raise EngineError(f"expected what the {tier} tier has, got {odd}; use numpy or auto")
    why = _why_missing(tier)
    if why:
        raise EngineError(f"expected the {tier} tier, which is not here: {why}")
    return tier


def _odd_part(config: TrainingConfig) -> str:
    """Name the part of a config that the NumPy tier alone has; empty where there is none."""
    for name in config.activations:
        if name not in NATIVE_ACTIVATIONS:
            return f"the activation {name}"
    output, loss = config.output_activation, config.loss
    if output not in NATIVE_OUTPUTS:
        return f"the output activation {output}"
    if loss in PROBABILITY_LOSSES:
        return f"the loss {loss}"
    return f"the loss {loss} of a softmax" if output == "softmax" and loss in ERROR_LOSSES else ""


def _why_missing(tier: str) -> str:
    if tier == "cupy":
        return cupy_backend.why_missing()
    return library.why_missing() if tier == "native" else ""


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
        EngineError: as ``tier_for``, and for the cupy tier, which has no trainer of a single run.
    """
    found = tier_for(config, tier)
    if found == "cupy":
        raise EngineError(
            "expected a tier that trains single runs, got cupy; see populations.make_population"
        )
    if found == NativeTrainer.tier:
        return NativeTrainer(config, problem, probes=probes, examples=examples)
    return NumpyTrainer(config, problem, probes=probes)


def shared_examples(configs: Sequence[TrainingConfig], problem: Problem) -> Examples | None:
    """Convert the examples once for configs of one shape, where their tier converts them."""
    if not configs or tier_for(configs[0]) != NativeTrainer.tier:
        return None
    return Examples.of(problem, fitted_head(configs[0], problem))
