"""How a worker is stopped in the midst of training: its processes notice, finish their sentence, and go.

The first SIGTERM or Ctrl-C: it takes no more messages, and its processes save and give back what they train.
The second, or when the time is over: its processes are killed, and what they held is given back for them.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from celery.worker import state
from django.conf import settings

logger = logging.getLogger(__name__)

ASK = signal.SIGUSR2  # by which a worker asks its processes to leave; they live on when they have
# With the first Celery ends a pool process; as the second where REMAP_SIGTERM says so.
_SIGNALS = (signal.SIGTERM, signal.SIGQUIT)
_asked = threading.Event()  # in a process of the pool


class Departure:
    """The end of a worker, from the first signal on; in its main process.

    Args:
        pool: Celery's.
        seconds: that its processes have to leave.
    """

    def __init__(self, pool: Any, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        self._begun = False
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._see_off, name="departure", daemon=True)

    def begin(self, number: int, frame: FrameType | None) -> None:
        """Begin, or hurry where it has begun; what a signal calls must neither log nor wait."""
        if self._begun:
            self._hurry.set()
            return
        self._begun = True
        # As Celery's own handler says that no more messages are taken.
        state.should_stop = os.EX_OK  # type: ignore[assignment]
        self._thread.start()

    def _see_off(self) -> None:
        logger.info("this worker stops; its runs have %.0f s to be saved and given back", self._seconds)
        self._send(ASK)
        hurried = self._hurry.wait(self._seconds)
        logger.warning("this worker is stopped by force: %s", "asked twice" if hurried else "time is over")
        self._send(signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGQUIT)  # Celery does not wait for tasks any more

    def _send(self, number: signal.Signals) -> None:
        for pid in self._pool.info["processes"]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def watch_over(sender: Any, **_: object) -> None:
    """Stop this worker in order when it is told to; for Celery's signal of a worker that is ready."""
    departure = Departure(sender.pool, settings.STOP_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, departure.begin)


def listen(**_: object) -> None:
    """Hear in a process of the pool that the worker stops; for Celery's signal."""
    _asked.clear()
    signal.signal(ASK, lambda *_: _asked.set())


def is_asked() -> bool:
    """Whether this process shall take nothing more."""
    return _asked.is_set()


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Let the signals that end this process wait until the block is over; they then do what they always do.

    Gives a function that tells whether one has come.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # where Python takes no signals
        yield is_asked
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    listened = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in listened:
        signal.signal(number, lambda found, _: came.append(found))
    try:
        yield lambda: bool(came) or is_asked()
    finally:
        for number in listened:
            signal.signal(number, before[number])
        if came:
            os.kill(os.getpid(), came[0])
