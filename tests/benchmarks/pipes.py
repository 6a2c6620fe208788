"""A contender in a process of its own, asked by lines on a pipe; an answer is a line of JSON."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

ROOT = Path(__file__).resolve().parents[2]


class ContenderError(Exception):
    """A contender cannot do its work, or came to a bad end."""


class Process:
    """A contender at work. ``hello`` is its first answer; ``unable`` in it says why there is no more."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("w", encoding="utf-8") as stream:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                bufsize=1,
            )
        try:
            self.hello = self.answer()
            if "unable" in self.hello:
                raise ContenderError(self.hello["unable"])
        except ContenderError:
            self.close()
            raise

    def send(self, line: str) -> None:
        """Ask; ``answer`` waits for what it says."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the process has ended: answer says how
            self._process.stdin.write(line + "\n")

    def answer(self) -> dict[str, Any]:
        """Wait for the next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(encoding="utf-8").strip().splitlines()
            raise ContenderError(f"{said[-1] if said else 'nothing said'} (all of it: {self._log.name})")
        return dict(json.loads(line))

    def ask(self, line: str) -> dict[str, Any]:
        """Send, and wait."""
        self.send(line)
        return self.answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
