"""What bounds an attempt in its worker: the seconds that it may take, and the memory that it may ask for.

The bound on memory is the kernel's on a process's data, set above what the process has already: an array
that would not fit is refused, the attempt ends with an error in words, and the worker goes on.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from runs.models import Run

MB = 2**20
_STATUS = Path("/proc/self/status")
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_SPARE = 64 * MB  # of the host's memory, that a run leaves alone


def time_limit_of(run: Run) -> int:
    """Return the seconds that an attempt at a run may take."""
    return int(run.time_limit or settings.RUN_TIME_LIMIT)


def memory_limit_of(run: Run) -> int:
    """Return the MB that training a run may take."""
    return int(run.memory_limit_mb or settings.RUN_MEMORY_LIMIT_MB)


def out_of_time(limit: int, steps: int, steps_requested: int) -> str:
    """Say that an attempt took longer than it may, and what helps."""
    return (
        f"The attempt reached its time limit of {limit:,} s after {steps:,} of {steps_requested:,} steps."
        " Ask for fewer steps, or submit it with a longer time limit."
    )


def out_of_memory(found: Iterable[Run]) -> str:
    """Say that training needed more memory than it may have, and what helps."""
    runs = list(found)
    limits = {memory_limit_of(run) for run in runs}
    shared = "" if len(runs) == 1 else f" each, {len(runs)} runs together"
    available = available_bytes()
    short = available is not None and available < sum(memory_limit_of(run) for run in runs) * MB
    host = f"; its host had {available // MB:,} MB available" if short and available is not None else ""
    return (
        f"Training needed more memory than its limit of {max(limits):,} MB{shared}{host}."
        " Use narrower layers or a smaller batch, or submit it with a higher memory limit."
    )


@contextmanager
def bounded_memory(runs: Collection[Run]) -> Iterator[None]:
    """Let the process take so much more memory as these runs may have, and not more than the host has.

    Whatever asks for more within gets a MemoryError. Where the system knows no such bound, there is none; nor
    on a GPU, whose drivers map the memory of all devices into the process.
    """
    present = None if os.environ.get("NNLAB_TIER") == "cupy" else _data_bytes()
    if present is None:
        yield
        return
    wanted = sum(memory_limit_of(run) for run in runs) * MB
    available = available_bytes()
    if available is not None:
        wanted = min(wanted, max(_SPARE, available - _SPARE))
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [present + wanted, *(bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def available_bytes() -> int | None:
    """Return the memory that this host, or this container, has left; None where the system does not say."""
    found = [bound for bound in (_available_of_host(), _available_of_container()) if bound is not None]
    return min(found, default=None)


def _data_bytes() -> int | None:
    """Return what this process has of the memory that RLIMIT_DATA bounds."""
    return _kilobytes(_STATUS, "VmData:")


def _available_of_host() -> int | None:
    return _kilobytes(_MEMINFO, "MemAvailable:")


def _available_of_container() -> int | None:
    """Return what is left of a control group's bound, which is a container's; caches count as free."""
    try:
        bound, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return None
    if bound == "max":
        return None
    cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
    return max(0, int(bound) - int(used) + cached)


def _kilobytes(file: Path, name: str) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)
