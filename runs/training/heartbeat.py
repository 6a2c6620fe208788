"""Beside training: its runs stay the worker's, and end where nobody wants them, however long a step is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from time import monotonic

from django.db import connection

from runs import lifecycle
from runs.lifecycle import Claims, Wish
from runs.store import summaries
from runs.store.outage import AWAY

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5  # between two looks whether training is held up
HELD_UP_SECONDS = 0.75  # without a word of training: it then takes a long step, or prepares data


@contextmanager
def heartbeat(claims: Claims) -> Iterator[Callable[[], None]]:
    """Prolong the leases from a thread, so that a long step or a slow disk does not cost the runs.

    Training itself asks what owners wish. While it is held up, the thread ends the runs that they want to be
    cancelled; training learns of it as it learns of any run that was taken from it.

    Gives a function by which training tells that it is not held up.
    """
    heart = _Heart(claims)
    name = f"heartbeat-{next(iter(claims))}"
    # In the context of the task, which its lines in the log are about, too.
    thread = threading.Thread(target=copy_context().run, args=(heart.live,), name=name, daemon=True)
    thread.start()
    try:
        yield heart.hear
    finally:
        heart.ended.set()
        thread.join()


class _Heart:
    def __init__(self, claims: Claims) -> None:
        self.ended = threading.Event()
        self._claims = claims
        self._heard = self._beaten = monotonic()

    def hear(self) -> None:
        self._heard = monotonic()

    def live(self) -> None:
        """Beat until the end, or until no run is left."""
        try:
            while not self.ended.wait(min(LOOK_SECONDS, lifecycle.HEARTBEAT.total_seconds())):
                try:
                    if not self._look():
                        return
                except (*AWAY, MemoryError) as error:  # no database, no memory: the leases may outlast it
                    logger.warning("heartbeat of %s run(s) failed: %s", len(self._claims), error)
                    connection.close()
        finally:
            connection.close()

    def _look(self) -> bool:
        """Do what is due; False where no run is left."""
        if monotonic() - self._heard > HELD_UP_SECONDS:
            self._stop_the_unwanted()
        if monotonic() - self._beaten < lifecycle.HEARTBEAT.total_seconds():
            return True
        left = lifecycle.beat(self._claims)
        self._beaten = monotonic()
        return bool(left)

    def _stop_the_unwanted(self) -> None:
        for run_id, wish in lifecycle.wishes(self._claims).items():
            if wish is Wish.CANCEL and lifecycle.stop(run_id, self._claims[run_id]):
                logger.info("run %s was cancelled in the midst of a long step", run_id)
                summaries.refresh(run_id)
