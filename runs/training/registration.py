"""A worker's main process tells the database that it lives, and takes no message where its code does not fit.

It writes from a thread of its own: a database that is away or slow never holds up the messages.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from functools import partial
from typing import Any

from django.db import ProgrammingError, connection

from nnlab import processes, versions
from nnlab.engine.errors import EngineError
from nnlab.versions import Machine
from runs import lifecycle, workers
from runs.store.outage import AWAY

logger = logging.getLogger(__name__)

STOP_SECONDS = 3.0  # that the last words of a worker may take
# A worker may be started before its database is prepared.
_NOT_THERE = (*AWAY, ProgrammingError)


class Registration:
    """One worker's row, from when it is ready until it ends.

    Args:
        consumer: Celery's, which takes the messages.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._queues = list(consumer.app.amqp.queues.consume_from)
        self._concurrency = int(consumer.controller.concurrency)
        self._key: int | None = None
        self._why_idle = ""
        self._pid = os.getpid()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, name="registration", daemon=True)

    def begin(self) -> None:
        """Begin to write, and see to it that the end is written."""
        self._thread.start()
        atexit.register(self.end)

    def end(self) -> None:
        """Note that the worker was stopped in order, and give back what it held."""
        if os.getpid() == self._pid:  # not a process that was forked off
            self._ended.set()
            self._thread.join(STOP_SECONDS)

    def _live(self) -> None:
        pause = workers.HEARTBEAT.total_seconds()
        while True:
            self._try(self._look)
            if self._ended.wait(pause):
                self._try(self._leave)
                return

    def _try(self, act: Any) -> None:
        try:
            act()
        except _NOT_THERE as error:
            logger.warning("the database does not answer, this worker goes on: %s", error)
        finally:
            connection.close()  # so that a process that is forked meanwhile inherits none

    def _look(self) -> None:
        memory = processes.memory_with_children(self._pid)
        if self._key is None or not workers.beat(self._key, processes.load(), memory):
            self._key = workers.enlist(workers.Enlistment(self._queues, self._concurrency, _machine()))
        why_idle = workers.why_idle()
        if why_idle != self._why_idle:
            self._why_idle = why_idle
            self._consumer.call_soon(partial(self._consume, bool(why_idle)))

    def _leave(self) -> None:
        if self._key is not None:
            lifecycle.give_back(self._key)
            workers.strike(self._key)

    def _consume(self, is_idle: bool) -> None:
        """Take messages or leave them to others; called where the messages come in."""
        if is_idle:
            logger.warning("this worker takes no runs: %s", self._why_idle)
        change = self._consumer.cancel_task_queue if is_idle else self._consumer.add_task_queue
        try:
            for queue in self._queues:
                change(queue)
        except self._consumer.connection_errors as error:  # what is chosen counts when it is there again
            logger.warning("the broker does not answer: %s", error)


def remember_code(**_: object) -> None:
    """Note what this worker runs before it forks: the files may change under it; for Celery's signal."""
    workers.code()


def register(sender: Any, **_: object) -> None:
    """Register a worker that is ready; for Celery's signal."""
    Registration(sender).begin()


def _machine() -> Machine:
    try:
        return versions.machine()
    except EngineError as error:  # every run that it takes fails with these words
        logger.warning("%s", error)
        return Machine(versions.device(""), "", "")
