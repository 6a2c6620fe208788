"""How large a network is, and which would not fit in memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from nnlab.engine.errors import ConfigError

if TYPE_CHECKING:
    from nnlab.engine.config import TrainingConfig

MAX_PARAMETERS = 50_000_000
MAX_BATCH_VALUES = 100_000_000  # activations of one batch; training holds a few arrays of this size


def parameter_count(config: TrainingConfig, inputs: int, outputs: int) -> int:
    """Count weights and biases, sum of (n_in + 1) n_out, slopes of PReLU units, gammas and betas."""
    sizes = (inputs, *config.hidden_units, outputs)
    slopes = sum(
        n for n, name in zip(config.hidden_units, config.activations, strict=True) if name == "prelu"
    )
    normalised = 2 * sum(config.hidden_units) if config.batch_norm else 0
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes)) + slopes + normalised


def multiply_adds(config: TrainingConfig, inputs: int, outputs: int) -> int:
    """Count the multiplications of one example on its way forward, each with its addition: sum of n_in n_out.

    Training takes about three times as many; biases, activations and normalisation are left out.
    """
    return sum(n_in * n_out for n_in, n_out in pairwise((inputs, *config.hidden_units, outputs)))


def check_size(config: TrainingConfig, inputs: int, outputs: int) -> None:
    """Refuse a network that would not fit in memory.

    Raises:
        ConfigError: on ``hidden_units`` for too many parameters, on ``batch_size`` for too many activations.
    """
    parameters = parameter_count(config, inputs, outputs)
    if parameters > MAX_PARAMETERS:
        raise ConfigError(
            "hidden_units",
            f"expected at most {MAX_PARAMETERS:,} parameters, got {parameters:,}; use narrower layers",
        )
    values = config.batch_size * sum((inputs, *config.hidden_units, outputs))
    if values > MAX_BATCH_VALUES:
        raise ConfigError(
            "batch_size",
            f"expected at most {MAX_BATCH_VALUES:,} activations a batch, got {values:,}; use a smaller batch",
        )
