"""What is known of a metric by its name alone."""

from __future__ import annotations

_HIGHER_IS_BETTER = frozenset({"val_accuracy", "val_r2"})


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one; losses and errors are the other kind."""
    return metric in _HIGHER_IS_BETTER
