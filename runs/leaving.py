"""How a worker's process is stopped in the midst of training: it notices, finishes its sentence, and goes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# With the first Celery ends a pool process; as the second where REMAP_SIGTERM says so.
_SIGNALS = (signal.SIGTERM, signal.SIGQUIT)


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Let the signals that end this process wait until the block is over; they then do what they always do.

    Gives a function that tells whether one has come.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # where Python takes no signals
        yield lambda: False
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    listened = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in listened:
        signal.signal(number, lambda found, _: came.append(found))
    try:
        yield lambda: bool(came)
    finally:
        for number in listened:
            signal.signal(number, before[number])
        if came:
            os.kill(os.getpid(), came[0])
