"""What the engine refuses, and why."""

from __future__ import annotations


class EngineError(ValueError):
    """Anything the engine refuses to do."""


class ConfigError(EngineError):
    """A hyperparameter that cannot be used.

    Args:
        field: the field of TrainingConfig it speaks of, so that a form shows the message there.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class ProblemError(EngineError):
    """Examples that cannot be trained on."""


class CheckpointError(EngineError):
    """Bytes that a run cannot go on from, or a run that cannot be kept."""
