"""The thread that takes what waits to the server, so that the training never waits for a network."""

from __future__ import annotations

import logging
import threading

from nnlab.client.delivery import Delivery
from nnlab.client.errors import AwayError, RefusedError

logger = logging.getLogger("nnlab.client")

BEAT = 20.0  # seconds of silence after which a sign of life is sent
FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0  # seconds between tries while the server is away: doubled each time
CLOSING_PAUSE = 1.0  # seconds, the longest of these pauses while the program waits for the end


class Sender(threading.Thread):
    """Sends one run until it is told to end. Whatever goes wrong is logged, once, and never raised."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(name="nnlab-sender", daemon=True)
        self.asked = threading.Event()  # the server was asked for the run, whatever it said
        self._delivery = delivery
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._abandoned = threading.Event()
        self._failures = 0
        self._over = False  # the server will never take more
        self._told = ""
        self._broken = False  # what nobody foresaw has happened

    def notify(self) -> None:
        """Say that something waits."""
        self._wake.set()

    def end(self, timeout: float) -> bool:
        """Send what waits, for so many seconds at most, and stop; whether all of it was sent."""
        self._ending.set()
        self._wake.set()
        self.join(timeout)
        self._abandoned.set()
        return not len(self._delivery.backlog)

    def run(self) -> None:
        """Send until the end; the thread's own method."""
        while not self._over and not self._abandoned.is_set():
            is_last = self._ending.is_set()  # asked before the try: what is added after it needs another one
            try:
                pause = self._tried()
                self.asked.set()
                if is_last and pause is None:
                    break
                self._rest(pause)
            except Exception:
                if not self._broken:
                    logger.exception("nnlab cannot send; what is logged waits in %s", self._delivery.place)
                self._recover(is_last)
        self._ending.wait()
        try:
            self._delivery.close()
        except OSError:
            logger.warning("cannot clear %s away", self._delivery.place, exc_info=True)

    def _recover(self, is_last: bool) -> None:
        """Go on after what nobody foresaw, later; unless the program waits for the end."""
        self._broken = True
        self.asked.set()
        self._over = is_last
        if not is_last:
            self._ending.wait(LAST_PAUSE)

    def _tried(self) -> float | None:
        """Send all that waits; None, or the seconds until the next try."""
        try:
            while self._delivery.send_next():
                pass
        except AwayError as error:
            self._failures += 1
            self._tell("away", f"{error}; what is logged waits in {self._delivery.place}, and is sent later")
            if error.retry_after is not None:
                return error.retry_after
            return min(FIRST_PAUSE * 2.0 ** (self._failures - 1), self._longest_pause)
        except RefusedError as error:
            self._over = error.final or self._ending.is_set()
            self._tell("refused", f"{error}; what is logged waits in {self._delivery.place}")
            return LAST_PAUSE
        if self._told:
            logger.info("the server takes what is logged again")
        self._failures, self._told = 0, ""
        return None

    @property
    def _longest_pause(self) -> float:
        return CLOSING_PAUSE if self._ending.is_set() else LAST_PAUSE

    def _rest(self, pause: float | None) -> None:
        """Wait until there is something to do."""
        if pause is None:
            if not self._wake.wait(BEAT):
                self._beat()
            self._wake.clear()
        elif not self._over:
            (self._abandoned if self._ending.is_set() else self._ending).wait(pause)

    def _beat(self) -> None:
        try:
            self._delivery.beat()
        except AwayError as error:
            logger.debug("no answer to a sign of life: %s", error)
        except RefusedError as error:
            self._over = error.final
            self._tell("refused", f"{error}; what is logged waits in {self._delivery.place}")

    def _tell(self, trouble: str, message: str) -> None:
        """Log a trouble, and not again while it lasts."""
        if self._told != trouble:
            logger.warning("%s", message)
        self._told = trouble
