"""Retention: runs go to the trash, come back from it, or are purged for good.

A purge removes a run's points a slice at a time, each in a short transaction, so that writers wait for
milliseconds however long the run is. Once it has begun the run cannot be restored; a purge that was cut off
is continued by whoever purges next, by the scheduler at the latest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection, models, transaction
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Length, Now

from runs import lifecycle
from runs.models import (
    ACTIVE,
    OVER,
    CheckpointPart,
    Chunk,
    Journal,
    LogLine,
    NetworkSnapshot,
    Project,
    Pyramid,
    Run,
    RunMetric,
    RunParam,
    Series,
    Status,
    Sweep,
    Trace,
)
from runs.models.runs import RunQuerySet
from runs.store import tallies
from runs.training import delivery

DELETE = "runs.delete_run"
OWN = "runs.submit_sweep"

# A run's many rows, and which of their columns are heavy. The few others go along with the run itself.
_HEAVY: tuple[tuple[type[models.Model], tuple[str, ...]], ...] = (
    (Journal, ("batch",)),
    (Pyramid, ("steps", "data")),
    (Chunk, ("steps", "data")),
    (Trace, ("data",)),
    (NetworkSnapshot, ("data",)),
    (CheckpointPart, ("data",)),
    (LogLine, ()),
    (Series, ()),
    (RunMetric, ()),
    (RunParam, ()),
)
SLICE = 500  # rows of one transaction: of chunks some 5 MB
_SLICE_OF = {CheckpointPart: 8}  # rows of a megabyte


@dataclass(frozen=True)
class Freed:
    """What a purge removed."""

    runs: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        return f"{file_size(self.bytes)} in {counted(self.runs)}"

    def __add__(self, other: Freed) -> Freed:
        return Freed(self.runs + other.runs, self.bytes + other.bytes)


@dataclass(frozen=True)
class Discarded:
    """What became of runs that somebody wants to delete; those ``left`` wait or train."""

    moved: int
    left: int


def counted(runs: int) -> str:
    """Write a number of runs: 1 run, 1,200 runs."""
    return f"{runs:,} run{'' if runs == 1 else 's'}"


def file_size(size: float) -> str:
    """Write a number of bytes: 714 B, 12.3 kB, 1.2 GB."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= limit * 0.99995:
            return f"{size / limit:.1f} {unit}"
    return f"{size:.0f} B"


def in_reach_of(user: User | AnonymousUser) -> Q:
    """Choose the runs that somebody may delete, restore and purge: their own, or all with the right to."""
    if user.has_perm(DELETE):
        return Q()
    return Q(sweep__created_by=user.pk) if user.has_perm(OWN) else Q(pk__in=[])


def may_delete(user: User | AnonymousUser, run: Run) -> bool:
    """Whether somebody may delete, restore and purge this run. It needs its sweep."""
    return user.has_perm(DELETE) or (user.has_perm(OWN) and run.sweep.created_by_id == user.pk)


def discard(runs: RunQuerySet, *, stop: bool = False) -> Discarded:
    """Move runs to the trash; those that wait or train are left, unless they are to be stopped too.

    A run that lost its worker has nobody who would go on with it, so it is stopped in any case. One that is
    being stopped goes to the trash at once, and ends there.
    """
    kept = runs.kept()
    to_stop = kept.filter(status__in=ACTIVE if stop else [Status.LOST])
    lifecycle.cancel_all(to_stop)
    ending = Q(status__in=OVER) | Q(status=Status.RUNNING, cancel_requested=True)
    moved = kept.filter(ending).update(deleted_at=Now())
    return Discarded(moved, kept.count())


def restore(runs: RunQuerySet) -> int:
    """Take runs out of the trash again, with all they had. Returns how many; a purge that began goes on."""
    return runs.in_trash().filter(purge_began_at=None).update(deleted_at=None)


def begin_purge(runs: RunQuerySet) -> int:
    """Give up runs of the trash for good; ``purge`` then removes them. Returns how many.

    One that is still being stopped is left: its worker may yet write.
    """
    doomed = runs.in_trash().filter(status__in=OVER, purge_began_at=None)
    return doomed.update(purge_began_at=Now())


def begin_purge_of_expired() -> int:
    """Give up the runs that were in the trash for longer than it keeps them. Returns how many."""
    if not settings.TRASH_DAYS:
        return 0
    return begin_purge(Run.objects.filter(deleted_at__lt=Now() - timedelta(days=settings.TRASH_DAYS)))


def purge(seconds: float) -> Freed:
    """Remove what was given up, for at most about so long; what is left is for the next call."""
    until = monotonic() + seconds
    freed = Freed()
    for part in purging():
        freed += part
        if monotonic() >= until:
            break
    return freed


def purging() -> Iterator[Freed]:
    """Remove every run that was given up, a slice at a time; yields what each slice freed."""
    for run_id in list(_given_up().order_by("pk").values_list("pk", flat=True)):
        yield from _purging(run_id)


def left_to_purge() -> int:
    """Count the runs that were given up and are not yet gone."""
    return _given_up().count()


def delete_project(project: Project) -> bool:
    """Delete a project without runs, which frees its address; False if it has some, in the trash or not."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        if project.runs.exists():
            return False
        project.delete()
    return True


def vacuum() -> None:
    """Give the space that purged runs left in the database back to the file system.

    SQLite writes its file anew, and nothing can be written meanwhile; PostgreSQL keeps the space for what
    comes next and gives back what lies at the end of its files, and nobody waits.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        for table in connection.introspection.django_table_names(only_existing=True):
            cursor.execute(f"VACUUM (ANALYZE) {connection.ops.quote_name(table)}")


def _given_up() -> RunQuerySet:
    return Run.objects.in_trash().filter(purge_began_at__isnull=False)


def _purging(run_id: int) -> Iterator[Freed]:
    for model, heavy in _HEAVY:
        rows: QuerySet[Any] = model._default_manager.filter(run_id=run_id)  # noqa: SLF001 - public
        while (size := _remove_slice(run_id, rows, heavy)) is not None:
            yield Freed(bytes=size)
    size = _remove_files(run_id)
    if _remove_run(run_id):
        yield Freed(runs=1, bytes=size)


@transaction.atomic
def _remove_slice(run_id: int, rows: QuerySet[Any], heavy: tuple[str, ...]) -> int | None:
    """Remove some of a run's rows. Returns their size; None where there are none, or somebody is at it."""
    if not _is_ours(run_id):
        return None
    most = _SLICE_OF.get(rows.model, SLICE)
    last = rows.order_by("pk").values_list("pk", flat=True)[most - 1 : most].first()
    some = rows if last is None else rows.filter(pk__lte=last)
    sizes = some.aggregate(**{name: Coalesce(Sum(Length(name)), 0) for name in heavy})
    removed, _ = some.delete()
    return sum(sizes.values()) if removed else None


def _remove_files(run_id: int) -> int:
    """Remove what waits of a run on this host. Returns its size."""
    size = 0
    for parent, _, names in os.walk(delivery.folder(run_id)):
        for name in names:
            with suppress(FileNotFoundError):  # another purge is at it
                size += (Path(parent) / name).stat().st_size
    delivery.clear(run_id)
    return size


@transaction.atomic
def _remove_run(run_id: int) -> bool:
    """Remove the run with what is left of it, and its sweep where it was the last; False if somebody did."""
    if not _is_ours(run_id):
        return False
    run = Run.objects.get(pk=run_id)
    sweep = Sweep.objects.select_for_update().get(pk=run.sweep_id)
    tallies.keep(run_id)
    run.delete()
    if not sweep.runs.exists():
        sweep.delete()
    return True


def _is_ours(run_id: int) -> bool:
    """Take a run for the rest of this transaction; False where another purge holds it, or it is gone."""
    return bool(_given_up().select_for_update(skip_locked=True).filter(pk=run_id).values_list("pk"))
