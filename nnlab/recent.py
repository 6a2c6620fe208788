"""What was found a moment ago: who asks often costs no more than who asks seldom."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Recent(Generic[Found]):
    """Looks again only when the last look is some seconds old; one thread at a time.

    While a look takes long, the others are told what the last one found.
    """

    def __init__(self, look: Callable[[], Found], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._lock = Lock()
        self._found: list[Found] = []
        self._due = 0.0

    def __call__(self) -> Found:
        """Return what was found."""
        if self._lock.acquire(blocking=not self._found):
            try:
                if not self._found or monotonic() >= self._due:
                    self._found = [self._look()]
                    self._due = monotonic() + self._seconds
            finally:
                self._lock.release()
        return self._found[0]

    def forget(self) -> None:
        """Look again when asked the next time."""
        self._found = []
