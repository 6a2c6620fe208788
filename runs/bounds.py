"""How many runs a project and a person may have, running and waiting; else the installation's bounds hold.

A claim or a submission takes its owners' rows before it counts, so that two at once never exceed a bound.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Count

from runs.models import Allowance, Project, Run, Source, Status

if TYPE_CHECKING:
    from runs.models.runs import RunQuerySet

_WAITING = (Status.QUEUED, Status.PAUSED)
_USER = "sweep__created_by"
_RUNNING = (Status.RUNNING,)


@dataclass(frozen=True)
class Full:
    """Projects and people that have as many running runs as they may.

    Args:
        projects: keys, as are users.
    """

    projects: Collection[int]
    users: Collection[int]

    def leave_out(self, runs: RunQuerySet) -> RunQuerySet:
        """Leave out their runs."""
        if self.projects:
            runs = runs.exclude(project__in=self.projects)
        return runs.exclude(sweep__created_by__in=self.users) if self.users else runs


@dataclass(frozen=True)
class _Owner:
    """A project or a person with its bounds; None where there is none."""

    column: str
    key: int
    name: str
    max_running: int | None
    max_queued: int | None

    def count(self, statuses: Collection[str]) -> int:
        """Count its runs that stand so."""
        return _counted(statuses).filter(**{self.column: self.key}).count()

    def lock(self) -> None:
        """Let nobody else count until this transaction has ended."""
        model: Any = Project if self.column == "project" else get_user_model()
        list(model.objects.filter(pk=self.key).select_for_update(no_key=True).values_list("pk"))


def full() -> Full:
    """Return who has as many running runs as they may, in two queries."""
    running = _counted(_RUNNING).order_by()
    projects = running.values_list("project", "project__max_running").annotate(runs=Count("pk"))
    signed = running.exclude(**{_USER: None}).values_list(_USER, f"{_USER}__allowance__max_running")
    people = signed.annotate(runs=Count("pk"))
    return Full(
        [key for key, own, runs in projects if _at(runs, own, settings.PROJECT_MAX_RUNNING)],
        [key for key, own, runs in people if _at(runs, own, settings.USER_MAX_RUNNING)],
    )


def room_beside(run: Run) -> int | None:
    """Count how many runs may be taken along with one that was just taken, within its transaction.

    Returns None where nothing bounds its owners, and -1 where it should not have been taken itself.
    """
    rooms = []
    for owner in _owners_of(run.project, run.sweep.created_by_id):
        if owner.max_running is not None:
            owner.lock()
            rooms.append(owner.max_running - owner.count(_RUNNING))
    return max(-1, min(rooms)) if rooms else None


def why_not_queued(project: Project, user_id: int | None, adding: int) -> str:
    """Say why so many runs more may not wait, within the transaction that adds them; else nothing."""
    for owner in _owners_of(project, user_id):
        if owner.max_queued is None:
            continue
        owner.lock()
        waiting = owner.count(_WAITING)
        if waiting + adding > owner.max_queued:
            return (
                f"expected at most {owner.max_queued:,} waiting runs of {owner.name}, got {adding:,} beside"
                f" the {waiting:,} that wait; submit fewer, or wait until some have been trained"
            )
    return ""


def why_held_back(run: Run) -> str:
    """Say why a queued run is not taken though workers are free: its owner has its fill; else nothing."""
    for owner in _owners_of(run.project, run.sweep.created_by_id):
        if owner.max_running is not None and owner.count(_RUNNING) >= owner.max_running:
            name = f"{owner.name[0].upper()}{owner.name[1:]}"
            return f"{name} has as many runs at once as allowed: {owner.max_running:,}."
    return ""


def _owners_of(project: Project, user_id: int | None) -> Iterator[_Owner]:
    yield _Owner(
        "project",
        project.pk,
        f"the project {project.name}",
        project.max_running or settings.PROJECT_MAX_RUNNING or None,
        project.max_queued or settings.PROJECT_MAX_QUEUED or None,
    )
    if user_id is not None:
        own = Allowance.objects.filter(user=user_id).first() or Allowance()
        yield _Owner(
            _USER,
            user_id,
            "their submitter",
            own.max_running or settings.USER_MAX_RUNNING or None,
            own.max_queued or settings.USER_MAX_QUEUED or None,
        )


def _counted(statuses: Collection[str]) -> RunQuerySet:
    return Run.objects.filter(source=Source.ENGINE, status__in=statuses)


def _at(runs: int, own: int | None, default: int) -> bool:
    bound = own or default
    return bound > 0 and runs >= bound
