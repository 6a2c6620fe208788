"""All checks, causes before their symptoms."""

from __future__ import annotations

import sys

from nnlab.health.checks import (
    born_dead,
    class_balance,
    constant_prediction,
    dead_layer,
    divergence,
    dormant,
    dropout,
    dying_units,
    exploding,
    forward_collapse,
    initial_loss,
    leak,
    linear_collapse,
    nonfinite,
    not_learning,
    oscillation,
    output_mismatch,
    overfitting,
    plateau,
    rank_collapse,
    saturated,
    slow,
    symmetry,
    unscaled_data,
    update_ratio,
    vanishing,
)
from nnlab.health.results import Check

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
    dying_units.CHECK,
    linear_collapse.CHECK,
    exploding.CHECK,
    divergence.CHECK,
    update_ratio.CHECK,
    slow.CHECK,
    oscillation.CHECK,
    constant_prediction.CHECK,
    plateau.CHECK,
    not_learning.CHECK,
    rank_collapse.CHECK,
    dormant.CHECK,
    initial_loss.CHECK,
    overfitting.CHECK,
    dropout.CHECK,
)


def summary(check: Check) -> str:
    """Say in half a sentence what a check looks for, as its module does."""
    text = (sys.modules[check.judge.__module__].__doc__ or check.id).splitlines()[0]
    return text.partition(": ")[2] or text
