"""The thread that moves what was logged out of the training's memory, about a second after it was logged."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from nnlab.client.backlog import Backlog
from nnlab.client.spool import Kind
from nnlab.series.buffer import StepBuffer

logger = logging.getLogger("nnlab.client")

INTERVAL = 1.0  # seconds of logging that a kill may cost
LOOK = 0.1  # seconds between two looks at how much was logged
DISK_TIMEOUT = 10.0  # seconds; a disk that takes longer hangs
MANY = 10_000  # steps that are moved sooner
MAX_LINES = 2_000  # of the log that wait here; the server keeps as many of a run
LINES_AT_ONCE = 25  # in one record: of the longest ones the server takes no more
LINE_RECORDS = 80  # that wait to be sent; beyond them only the last lines are kept


class Recorder(threading.Thread):
    """Moves points from a buffer into the backlog, until it is told to end.

    What cannot be moved is lost, and told of once; the thread goes on, or the memory would fill.
    """

    def __init__(self, buffer: StepBuffer, backlog: Backlog, notify: Callable[[], None]) -> None:
        super().__init__(name="nnlab-recorder", daemon=True)
        self._buffer = buffer
        self._backlog = backlog
        self._notify = notify
        self._told = False
        self._ending = threading.Event()
        self._end = b""
        self._config: deque[bytes] = deque()
        self._lines: deque[dict[str, Any]] = deque(maxlen=MAX_LINES)

    def configure(self, config: bytes) -> None:
        """Move a change of the configuration, too, when the points are moved."""
        self._config.append(config)

    def say(self, line: dict[str, Any]) -> None:
        """Move a line of the log, too, when the points are moved."""
        self._lines.append(line)

    def end(self, end: bytes) -> None:
        """Move what is left, add how the run ended behind it, and stop."""
        self._end = end
        self._ending.set()
        self.join(DISK_TIMEOUT)

    def run(self) -> None:
        """Move points until the end; the thread's own method."""
        due = time.monotonic() + INTERVAL
        while not self._ending.wait(LOOK):
            if time.monotonic() >= due or len(self._buffer) >= MANY:
                self._try(self._move)
                due = time.monotonic() + INTERVAL
        self._try(self._move)
        self._try(lambda: self._backlog.add(Kind.END, self._end))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            if not self._told:
                logger.exception("nnlab cannot record a part of what is logged, which is lost; it goes on")
            self._told = True

    def _move(self) -> None:
        points = self._buffer.drain()
        for problem in self._buffer.problems():
            logger.warning("left out of what is logged: %s", problem)
        config = [self._config.popleft() for _ in range(len(self._config))]
        for change in config:
            self._backlog.add(Kind.CONFIG, change)
        if points:
            self._backlog.add_points(points)
        said = self._move_lines()
        if points or config or said:
            self._notify()

    def _move_lines(self) -> bool:
        """Move lines, as long as not too many wait already; whether there were any."""
        moved = False
        while self._lines and self._backlog.lines < LINE_RECORDS:
            some = [self._lines.popleft() for _ in range(min(LINES_AT_ONCE, len(self._lines)))]
            self._backlog.add(Kind.LINES, json.dumps({"lines": some}).encode())
            moved = True
        return moved
