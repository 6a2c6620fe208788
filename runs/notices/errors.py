"""Why a notice did not arrive."""

from __future__ import annotations


class NotTakenError(Exception):
    """The other side did not take it now; a later try may succeed."""


class RefusedError(NotTakenError):
    """It will not be taken however often it is tried."""
