"""All checks, causes before their symptoms."""

from __future__ import annotations

from nnlab.health.checks import dead_layer, exploding, nonfinite, not_learning, vanishing

CHECKS = (nonfinite.CHECK, dead_layer.CHECK, vanishing.CHECK, exploding.CHECK, not_learning.CHECK)
