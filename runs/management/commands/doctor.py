"""``nnlab doctor``: what is wrong with this installation, part by part, in plain words."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.models.functions import Now

from nnlab import versions
from nnlab.engine.device import cupy_backend
from nnlab.engine.errors import EngineError
from nnlab.engine.native import library
from runs import console, readiness, workers
from runs.models import Queue, Release, Run, Status

LITTLE_SPACE, NO_SPACE = 2**30, 2**27  # bytes
CLOCKS_APART = 5.0  # seconds


class State(StrEnum):
    """How a part stands."""

    WELL = "ok"
    DOUBTFUL = "look"
    BROKEN = "BROKEN"


class Finding(NamedTuple):
    """One part of the installation, how it stands, and what that means."""

    part: str
    state: State
    words: str


class Command(BaseCommand):
    """Examines the installation."""

    help = "Say what is wrong with this installation; the exit code is 1 where something is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each part."""
        broken = 0
        for finding in examination():
            console.print_line(f"{finding.state:7} {finding.part:11} {finding.words}")
            broken += finding.state == State.BROKEN
        if broken:
            raise CommandError(f"{broken} part(s) of this installation are broken")
        console.print_line("Nothing is broken.")


def examination() -> Iterator[Finding]:
    """Look at every part; those that need the database only where it can be used."""
    found = readiness.look()
    yield _database(found.parts["database"])
    for part, well in (("migrations", "none is missing"), ("broker", "answers")):
        yield _judged(part, found.parts[part], well)
    if not (found.parts["database"] or found.parts["migrations"]):
        yield from _workers()
        yield _scheduler()
        yield _clocks()
    yield _engine()
    yield _gpu()
    yield _space()
    yield Finding("log", State.WELL, f"written as {settings.LOG_FORMAT} (NNLAB_LOG)")


def _judged(part: str, trouble: str, well: str) -> Finding:
    return Finding(part, State.BROKEN if trouble else State.WELL, trouble or well)


def _database(trouble: str) -> Finding:
    chosen = settings.DATABASES["default"]
    where = (
        chosen["NAME"]
        if connection.vendor == "sqlite"
        else f"{chosen['NAME']} on {chosen['HOST'] or 'this host'}"
    )
    return _judged(
        "database", trouble and f"{connection.vendor}, {where}: {trouble}", f"{connection.vendor}, {where}"
    )


def _workers() -> Iterator[Finding]:
    """Say who takes the runs of each queue; that of GPUs needs nobody as long as nothing waits in it."""
    release, heard = workers.newest_release(), list(workers.heard())
    for worker in heard:
        why_idle = workers.misfit(worker.versions, release)
        if why_idle:
            yield Finding("worker", State.BROKEN, f"{worker}: {why_idle}")
    silent = workers.silent().count()
    if silent:
        yield Finding("workers", State.DOUBTFUL, f"{silent} are silent; after a minute they count as gone")
    for queue in Queue.values:
        processes = workers.processes(queue)
        waiting = Run.objects.filter(status=Status.QUEUED, queue=queue).count()
        words = f"{processes} process(es) take its runs, {waiting} wait"
        if processes or (queue == Queue.GPU and not waiting):
            yield Finding(f"queue {queue}", State.WELL, words)
        else:
            yield Finding(
                f"queue {queue}",
                State.BROKEN,
                f"{words}; start a worker for it: `nnlab up`, or on another host the same image",
            )


def _scheduler() -> Finding:
    lapsed = Run.objects.filter(status=Status.RUNNING, lease_until__lt=Now()).count()
    trouble = (
        f"{lapsed} run(s) of silent workers are not judged; is `nnlab scheduler` running?" if lapsed else ""
    )
    return _judged("scheduler", trouble, "no run waits to be judged")


def _clocks() -> Finding:
    """Compare this host's clock with the database's, by which leases and all times are measured."""
    now = Release.objects.annotate(now=Now()).values_list("now", flat=True).first()
    apart = 0.0 if now is None else (datetime.now(UTC) - now).total_seconds()
    words = f"this host's is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} the database's"
    if abs(apart) > CLOCKS_APART:
        return Finding("clocks", State.DOUBTFUL, f"{words}; ages on pages are wrong by as much: set up NTP")
    return Finding("clocks", State.WELL, words)


def _engine() -> Finding:
    try:
        words = versions.engine()
    except EngineError as error:
        return Finding("engine", State.BROKEN, str(error))
    if library.load() is None:
        return Finding(
            "engine", State.DOUBTFUL, f"{words}; training is several times slower than it could be"
        )
    return Finding("engine", State.WELL, words)


def _gpu() -> Finding:
    why_missing = cupy_backend.why_missing()
    return Finding("GPU", State.WELL, why_missing or "found; its queue is gpu")


def _space() -> Finding:
    free = shutil.disk_usage(settings.NNLAB_HOME).free
    words = f"{free / 2**30:,.1f} GiB free in {settings.NNLAB_HOME}"
    if free < NO_SPACE:
        return Finding("disk", State.BROKEN, f"{words}: runs cannot be stored; purge the trash, or make room")
    return Finding("disk", State.DOUBTFUL if free < LITTLE_SPACE else State.WELL, words)
