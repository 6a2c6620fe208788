"""The one error of the data package."""

from __future__ import annotations


class DataError(ValueError):
    """A dataset, a recipe or a file is not as expected; the message says what was, and the remedy.

    Args:
        field: the field of ``DataConfig`` that the message speaks of.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
