"""A run of a training program outside of nnlab: what the program holds in its hand."""

from __future__ import annotations

import html
import json
import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from nnlab.client.backlog import Backlog
from nnlab.client.delivery import Delivery
from nnlab.client.recording import Recorder
from nnlab.client.sending import Sender
from nnlab.client.values import plain
from nnlab.series.buffer import StepBuffer

logger = logging.getLogger("nnlab.client")

open_runs: set[Run] = set()  # until they end: an open run is kept even where the program has dropped it
TIMEOUT = 30.0  # seconds that the end of a run may wait for the server
MAX_ERROR = 10_000  # characters
MAX_LINE = 4_000  # characters
LEVELS = ("info", "warning", "error")


class Run:
    """An open run; made by ``nnlab.client.start``. None of its methods raises or waits, but for the end's."""

    def __init__(self, name: str, backlog: Backlog, delivery: Delivery) -> None:
        self.name = name
        self._over = ""  # why nothing is logged any more
        self._told_over = False
        self._buffer = StepBuffer()
        self._backlog = backlog
        self._delivery = delivery
        self._sender = Sender(delivery)
        self._recorder = Recorder(self._buffer, backlog, self._sender.notify)
        self._sender.start()
        self._recorder.start()
        open_runs.add(self)

    @property
    def id(self) -> int | None:
        """The run's number; None while the server has not given one."""
        return self._delivery.run_id

    @property
    def url(self) -> str | None:
        """The run's page in the dashboard; None while the server has not given the run a number."""
        return self._delivery.url

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked for the run's end in the dashboard; it is heard within half a minute."""
        return self._delivery.stop_requested

    def log(self, step: int, values: Mapping[str, float], layer: int | None = None) -> None:
        """Note the values of some metrics after a step, of the whole network or of one layer.

        Args:
            step: any whole number below 2^63; steps may repeat, and come in any order.
            values: names and numbers; a tensor with one element is a number.
            layer: from 0; None for the whole network.
        """
        if self._over:
            self._tell_over()
            return
        self._buffer.log(step, values, layer)

    def say(self, text: object, level: str = "info", step: int | None = None) -> None:
        """Add a line to the run's log, which keeps the last 2,000.

        Args:
            text: of at most 4,000 characters; the rest is left out.
            level: info, warning or error.
            step: that it is about.
        """
        if self._over:
            self._tell_over()
            return
        line: dict[str, Any] = {"text": str(text)[:MAX_LINE], "level": level}
        if not line["text"].strip() or level not in LEVELS:
            logger.warning("expected a text, and a level of %s, got %r at %r", ", ".join(LEVELS), text, level)
            return
        if step is not None:
            line["step"] = max(int(step), 0)
        self._recorder.say(line)

    def config(self, **values: Any) -> None:
        """Add to the run's configuration, or change it."""
        self.update_config(values)

    def update_config(self, values: Mapping[str, Any]) -> None:
        """Add to the run's configuration, or change it; for names that are no Python names."""
        if self._over:
            self._tell_over()
            return
        told = plain(values)
        if not isinstance(told, dict):
            logger.warning("expected a dictionary to configure %r with, got %r", self.name, values)
            return
        self._recorder.configure(json.dumps(told).encode())

    def finish(self, timeout: float = TIMEOUT) -> None:
        """End the run well, and wait so many seconds at most until all is sent."""
        self._end({"status": "finished"}, timeout)

    def fail(self, error: BaseException | str, timeout: float = TIMEOUT) -> None:
        """End the run as failed, and say why."""
        text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error
        self._end({"status": "failed", "error": text[:MAX_ERROR]}, timeout)

    def cancel(self, timeout: float = TIMEOUT) -> None:
        """End the run as cancelled: somebody stopped it."""
        self._end({"status": "cancelled"}, timeout)

    def end_by(self, error: BaseException | None) -> None:
        """End the run as the program ends: well, by an interrupt, or by an exception."""
        if isinstance(error, KeyboardInterrupt):
            self.cancel()
        elif error is None or (isinstance(error, SystemExit) and error.code in {None, 0}):
            self.finish()
        else:
            self.fail(error)

    def leave(self) -> None:
        """Let go of a run that belongs to the process from which this one was forked."""
        self._over = "the run belongs to the process that started it; this is a fork of it"
        self._delivery.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_by(error)

    def __repr__(self) -> str:
        return f"<nnlab run {self.name!r}: {self.url or 'not on the server yet'}>"

    def _repr_html_(self) -> str:
        name = html.escape(self.name)
        if self.url is None:
            return f"nnlab run {name}: not on the server yet"
        return f'nnlab run <a href="{html.escape(self.url)}" target="_blank">{name}</a>'

    def await_start(self, timeout: float) -> None:
        """Wait until the server was asked for the run, so that its address is known if there is one."""
        self._sender.asked.wait(timeout)

    def _end(self, end: dict[str, str], timeout: float) -> None:
        if self._over:
            return
        self._over = "the run is over"
        open_runs.discard(self)
        deadline = time.monotonic() + timeout
        self._recorder.end(json.dumps(end).encode())
        if not self._sender.end(max(deadline - time.monotonic(), 0.0)):
            logger.warning(
                "%d points of run %s were not sent; they wait in %s. Send them with: nnlab sync",
                self._backlog.points, self.name, self._delivery.place,
            )  # fmt: skip

    def _tell_over(self) -> None:
        if not self._told_over:
            self._told_over = True
            logger.warning("nothing more is logged to %r: %s", self.name, self._over)
