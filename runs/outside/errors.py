"""Why a request of a program outside is refused."""

from __future__ import annotations


class NoRunError(LookupError):
    """There is no such run."""


class ClosedError(RuntimeError):
    """The run takes nothing now: it is over, in the trash, or nnlab's own engine trains it."""


class BusyError(RuntimeError):
    """More waits to be stored than the run may have waiting."""
