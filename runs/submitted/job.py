"""How a submission wants to be run: on what, how urgently, and within which bounds of time and memory.

None of it changes what is learned, so it is no part of the training's configuration nor of a run's group.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from nnlab.engine.errors import ConfigError
from runs.models import Queue
from runs.models.runs import MAX_PRIORITY
from runs.submitted.values import Faults, read_table

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d{1,9}[smhd]\s*)+")


@dataclass(frozen=True)
class Job:
    """How runs are to be run.

    Args:
        time_limit: seconds of one attempt; None for the installation's limit.
        memory_limit_mb: of one run; likewise.
    """

    queue: str = Queue.CPU.value
    priority: int = 0
    time_limit: int | None = None
    memory_limit_mb: int | None = None

    @property
    def changed(self) -> dict[str, Any]:
        """What is not as usual."""
        usual = asdict(Job())
        return {key: value for key, value in asdict(self).items() if value != usual[key]}


def read_job(value: object, most_seconds: int, most_mb: int, faults: Faults) -> Job:
    """Read the table ``job`` of a submission, and note what is wrong with it.

    Args:
        most_seconds: that an attempt may be given.
        most_mb: likewise of memory.
    """
    table = faults.collect(read_table, "job", value) or {}
    known = Job.__dataclass_fields__
    for key in table:
        if key not in known:
            faults.note("job", f"job: unknown key {key!r}; known are {', '.join(known)}")
    return Job(
        faults.collect(_read_queue, table.get("queue", Job.queue)) or Job.queue,
        faults.collect(_read_priority, table.get("priority", 0)) or 0,
        faults.collect(_read_time_limit, table.get("time_limit"), most_seconds),
        faults.collect(_read_memory_limit, table.get("memory_limit_mb"), most_mb),
    )


def seconds_of(text: str) -> int | None:
    """Read a length of time such as ``90``, ``30m``, ``1h 30m``; None for what is none."""
    plain = text.strip().lower()
    if plain.isascii() and plain.isdigit():
        return int(plain[:12])
    if not _DURATION.fullmatch(plain):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", plain))


def _read_queue(value: object) -> str:
    if value not in Queue.values:
        raise ConfigError("queue", f"queue: expected {' or '.join(Queue.values)}, got {value!r}")
    return str(value)


def _read_priority(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -MAX_PRIORITY <= value <= MAX_PRIORITY:
        raise ConfigError(
            "priority",
            f"priority: expected a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}, got {value!r};"
            " the highest is taken first",
        )
    return value


def _read_time_limit(value: object, most: int) -> int | None:
    seconds = seconds_of(value) if isinstance(value, str) else value
    if value is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= most:
        raise ConfigError(
            "time_limit",
            f"time_limit: expected 1 to {most:,} seconds, or a text such as 30m or 2h, got {value!r};"
            " NNLAB_MAX_RUN_TIME_LIMIT raises the bound",
        )
    return seconds


def _read_memory_limit(value: object, most: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigError(
            "memory_limit_mb",
            f"memory_limit_mb: expected 1 to {most:,} MB, got {value!r};"
            " NNLAB_MAX_RUN_MEMORY_LIMIT_MB raises the bound",
        )
    return value
