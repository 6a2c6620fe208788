"""What can go wrong between a training program and its server; only ClientError ever reaches the program."""

from __future__ import annotations


class ClientError(ValueError):
    """A run that cannot be started as it was asked for; raised by ``start`` alone, before any training."""


class AwayError(Exception):
    """The server cannot be reached, or asks for a pause. What was to be sent waits, and is sent again."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RefusedError(Exception):
    """The server answers, and takes nothing of this run, now or, where that is final, ever."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final
