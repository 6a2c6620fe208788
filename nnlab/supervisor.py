"""Starts the processes of one installation, restarts those that die, and leaves nothing behind."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Self

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 10.0  # seconds that a process has between SIGTERM and SIGKILL
RESTART_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before the first, second, ... restart in a row
LOOK = 0.05  # seconds between two looks at what shall end
STEADY = 60.0  # seconds after which a process counts as well again


class AlreadyRunningError(RuntimeError):
    """Another supervisor holds this data folder."""


class FolderLock:
    """Holds a data folder for one supervisor: two brokers on one folder would destroy each other's file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "supervisor.lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise AlreadyRunningError(
                f"nnlab already runs on {self._path.parent} (process {holder});"
                " stop it first, or set NNLAB_HOME to another folder"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


@dataclass
class Child:
    """One supervised process, in a session of its own, so that a Ctrl-C reaches the supervisor alone."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    restart_at: float = 0.0

    def start(self) -> None:
        """Start the process; it gets SIGKILL when the supervisor dies, however that happens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the supervisor has no other threads
            )
        self.started_at = time.monotonic()

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, deadline: float, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """Wait for the process until the deadline, then kill it and whatever it left in its session."""
        if self.process is None:
            return
        while self.is_alive() and time.monotonic() < deadline and not is_hurried():
            time.sleep(LOOK)
        if self.is_alive():
            logger.warning("%s did not stop in time and is killed", self.name)
        self.kill_group()
        self.process.wait()

    def kill_group(self) -> None:
        """Kill every process of the session, such as a dead worker's pool."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class Supervisor:
    """Keeps children running between ``start`` and ``stop``.

    Args:
        stop_timeout: seconds that they have between SIGTERM and SIGKILL; a second signal ends them at once.
    """

    def __init__(self, children: Sequence[Child], stop_timeout: float = STOP_TIMEOUT) -> None:
        self._children = children
        self._stop_timeout = stop_timeout
        self._hurried = False
        self.stopping = False

    def start(self) -> None:
        """Start all children, and take SIGINT and SIGTERM as the wish to stop."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        for child in self._children:
            child.start()

    def watch(self) -> None:
        """Restart what has died; call it about every half second."""
        for child in self._children:
            if self.stopping or child.is_alive():
                continue
            now = time.monotonic()
            if not child.restart_at:
                self._plan_restart(child, now)
            elif now >= child.restart_at:
                child.restart_at = 0.0
                child.start()

    def stop(self) -> None:
        """End the children in reverse order of their start, the broker last."""
        self.stopping = True
        deadline = time.monotonic() + self._stop_timeout
        last = self._children[0] if self._children else None
        others = [child for child in reversed(self._children) if child is not last]
        for child in others:
            child.terminate()
        for child in others:
            child.end(deadline, lambda: self._hurried)
        if last is not None:
            last.terminate()
            last.end(time.monotonic() + STOP_TIMEOUT / 2, lambda: self._hurried)

    def _plan_restart(self, child: Child, now: float) -> None:
        child.kill_group()
        child.failures = 0 if now - child.started_at > STEADY else child.failures
        pause = RESTART_PAUSES[min(child.failures, len(RESTART_PAUSES) - 1)]
        child.failures += 1
        child.restart_at = now + pause
        code = child.process.returncode if child.process else None
        logger.warning("%s ended (%s); restart in %.1f s; see %s", child.name, code, pause, child.log)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._hurried = self.stopping
        self.stopping = True


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent dies; elsewhere there is no such wish."""
    if sys.platform == "linux":
        parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None, use_errno=True).prctl(parent_death_signal, signal.SIGKILL)
