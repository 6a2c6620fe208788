"""What processes use, as Linux tells it; elsewhere nothing is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def memory_with_children(pid: int) -> int | None:
    """Measure the memory of a process and its children in bytes; what they share counts once."""
    found = [_memory(process) for process in (pid, *_children(pid))]
    known = [size for size in found if size is not None]
    return sum(known) if known else None


def load() -> float | None:
    """Return how many processes of this host wanted to compute over the last minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _children(pid: int) -> Iterator[int]:
    for folder in _PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended
            continue
        if int(stat.rpartition(")")[2].split()[1]) == pid:  # the name before may hold anything
            yield int(folder.name)


def _memory(pid: int) -> int | None:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
