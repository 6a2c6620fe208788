"""Who starts readers: the scheduler, so that no worker busy with trainings makes an upload wait.

A reader is a process for one file: its memory goes back when it ends, and what kills it kills nothing else.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from contextlib import suppress
from time import monotonic

from django.db import close_old_connections

from runs.models import Upload
from runs.store import datasets, uploads
from runs.store.outage import AWAY

logger = logging.getLogger(__name__)

LOOK = 0.5  # seconds between two looks
TIME_LIMIT = 600.0  # seconds that reading a file may take
TIDY_SECONDS = 600.0  # between two removals of what nobody has saved
_TOO_LONG = f"Reading this file took longer than {TIME_LIMIT / 60:.0f} minutes; send fewer rows or columns."


class Readers:
    """Keeps one reader at work while uploads wait. Several schedulers may do so at once."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._upload: Upload | None = None
        self._ends_at = 0.0
        self._tidy_at = 0.0

    def rest(self, stopping: threading.Event, seconds: float) -> bool:
        """Look again and again for so long. Returns whether it is time to stop."""
        until = monotonic() + seconds
        while True:
            self._look_or_wait()
            left = until - monotonic()
            if stopping.wait(max(0.0, min(LOOK, left))):
                self.stop()
                return True
            if left <= LOOK:
                return False

    def look(self) -> None:
        """See to the reader that is at work, and start the next."""
        if monotonic() >= self._tidy_at:
            self._tidy_at = monotonic() + TIDY_SECONDS
            uploads.remove_old()
            datasets.remove_old_drafts()
        is_reading = self._is_reading()
        if not uploads.is_any_under_way():
            return
        if silent := uploads.give_back_silent():
            logger.warning("%s upload(s) lost their reader", silent)
        self._upload = self._upload if is_reading else uploads.claim()
        if self._upload is not None and not is_reading:
            self._start(self._upload)

    def stop(self) -> None:
        """End the reader; its upload is read by whoever comes next."""
        if self._process is not None and self._upload is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            with suppress(*AWAY):  # then its lease runs out
                uploads.release(self._upload)

    def _look_or_wait(self) -> None:
        try:
            self.look()
        except AWAY as error:
            logger.warning("uploads wait, the database does not answer: %s", error)
            close_old_connections()

    def _start(self, upload: Upload) -> None:
        words = [sys.executable, "-m", "nnlab", "read", str(upload.pk), str(upload.attempts)]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command
        self._ends_at = monotonic() + TIME_LIMIT

    def _is_reading(self) -> bool:
        """Whether a reader is at work; one that has ended, or has to, is settled here."""
        if self._process is None or self._upload is None:
            return False
        code = self._process.poll()
        if code is None and monotonic() < self._ends_at and uploads.is_held(self._upload):
            return True
        if code is None:
            self._process.kill()
            self._process.wait()
            uploads.refuse(self._upload, _TOO_LONG)
        elif uploads.give_back(self._upload):
            logger.warning("the reader of upload %s ended (%s)", self._upload.pk, code)
        self._process = None
        return False
