"""The one error of this package."""

from __future__ import annotations


class StatsError(ValueError):
    """Numbers or a design from which the statistic asked for cannot be computed."""
