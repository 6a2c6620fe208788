"""The rows of workers, and whether the code of one fits this installation. The clock is the database's."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from nnlab import versions
from nnlab.versions import Machine
from runs.models import Release, Worker
from runs.models.workers import WorkerQuerySet

HEARTBEAT = timedelta(seconds=5)
SILENT_AFTER = timedelta(seconds=20)  # three heartbeats may be missed
GONE_AFTER = timedelta(seconds=60)
KEPT = timedelta(days=1)  # after a worker's end
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Enlistment:
    """What a worker says of itself when it starts.

    Args:
        concurrency: the number of its processes that train.
    """

    queues: Sequence[str]
    concurrency: int
    machine: Machine
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)


def enlist(worker: Enlistment) -> int:
    """Write the row of a worker that starts, and return its key.

    Another one of the same host and process can only be an earlier one: in a container the numbers repeat.
    """
    with transaction.atomic():
        _end(Worker.objects.filter(host=worker.host, pid=worker.pid), Worker.Ending.GONE)
        row = Worker.objects.create(
            host=worker.host,
            pid=worker.pid,
            queues=list(worker.queues),
            concurrency=worker.concurrency,
            versions=code(),
            cores=os.cpu_count() or 1,
            **asdict(worker.machine),
        )
    return row.pk


def beat(key: int, load: float | None, memory_bytes: int | None) -> bool:
    """Note that a worker lives, also one that was taken for gone; False where its row was removed."""
    alive: dict[str, Any] = {"seen_at": Now(), "ended_at": None, "ending": ""}
    return bool(Worker.objects.filter(pk=key).update(load=load, memory_bytes=memory_bytes, **alive))


def strike(key: int) -> None:
    """Note that a worker was stopped in order."""
    _end(Worker.objects.filter(pk=key), Worker.Ending.STOPPED)


def release(host: str, *, orderly: bool) -> None:
    """Note that all workers of a host have ended."""
    _end(Worker.objects.filter(host=host), Worker.Ending.STOPPED if orderly else Worker.Ending.GONE)


def mark_gone() -> int:
    """Take workers that were silent for long for gone, and forget those that ended long ago.

    Returns how many are gone.
    """
    Worker.objects.filter(ended_at__lt=Now() - KEPT).delete()
    return _end(Worker.objects.filter(seen_at__lt=Now() - GONE_AFTER), Worker.Ending.GONE)


def heard() -> WorkerQuerySet:
    """Return the workers that were heard a moment ago."""
    return Worker.objects.present().filter(seen_at__gt=Now() - SILENT_AFTER)


def silent() -> WorkerQuerySet:
    """Return the workers that are there and were not heard for a while."""
    return Worker.objects.present().filter(seen_at__lte=Now() - SILENT_AFTER)


def taking(queue: str) -> list[Worker]:
    """Return the workers that take runs from a queue: those that are heard and run the present code."""
    release = newest_release()
    return [worker for worker in heard() if queue in worker.queues and not misfit(worker.versions, release)]


def processes(queue: str) -> int:
    """Count the processes of all hosts that take runs from a queue."""
    return sum(worker.concurrency for worker in taking(queue))


def present_key(host: str, pids: Sequence[int]) -> int | None:
    """Return the key of the worker that has one of these main processes; None where it is not known."""
    found = Worker.objects.present().filter(host=host, pid__in=pids).order_by("-pk")
    return found.values_list("pk", flat=True).first()


@cache
def code() -> dict[str, str]:
    """Return the versions of this process's code, the newest migration that it knows among them."""
    newest = max(path.stem for path in _MIGRATIONS.glob("[0-9]*.py"))
    return {**versions.numbers(), "schema": newest}


def record_release() -> Release:
    """Note that this installation runs the code of this process from now on."""
    known, mine = newest_release(), code()
    wanted = {name: mine[name] for name in ("nnlab", "engine", "schema")}
    return known if known is not None and known.versions == wanted else Release.objects.create(**wanted)


def newest_release() -> Release | None:
    """Return the code that this installation runs; None before it was prepared."""
    return Release.objects.order_by("-pk").first()


def why_idle() -> str:
    """Say why this process must leave the runs alone; empty where it may train them."""
    return misfit(code(), newest_release())


def misfit(found: dict[str, str], release: Release | None) -> str:
    """Say why code must leave this installation's runs alone; empty where it may train them.

    Another engine would give the runs of one sweep numbers that cannot be compared, and another schema would
    write rows that others cannot read.
    """
    if release is None:
        return ""
    for name, words in (("engine", "its engine"), ("schema", "its database schema")):
        mine, theirs = found.get(name) or "unknown", release.versions[name]
        if mine != theirs:
            return (
                f"{words} is {mine}, this installation's is {theirs}; it takes no runs until it is"
                " restarted with the installed version, or `nnlab prepare` installs its own"
            )
    return ""


def _end(rows: WorkerQuerySet, ending: Worker.Ending) -> int:
    return rows.present().update(ended_at=Now(), ending=ending)
