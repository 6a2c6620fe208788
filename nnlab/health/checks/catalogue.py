"""All checks, causes before their symptoms."""

from __future__ import annotations

from nnlab.health.checks import (
    born_dead,
    class_balance,
    dead_layer,
    divergence,
    dropout,
    exploding,
    forward_collapse,
    initial_loss,
    leak,
    linear_collapse,
    nonfinite,
    not_learning,
    output_mismatch,
    plateau,
    saturated,
    symmetry,
    unscaled_data,
    update_ratio,
    vanishing,
)

CHECKS = (
    nonfinite.CHECK,
    class_balance.CHECK,
    leak.CHECK,
    output_mismatch.CHECK,
    symmetry.CHECK,
    unscaled_data.CHECK,
    born_dead.CHECK,
    dead_layer.CHECK,
    vanishing.CHECK,
    forward_collapse.CHECK,
    saturated.CHECK,
    linear_collapse.CHECK,
    exploding.CHECK,
    divergence.CHECK,
    update_ratio.CHECK,
    plateau.CHECK,
    not_learning.CHECK,
    initial_loss.CHECK,
    dropout.CHECK,
)
