"""The order of the queue: by priority, then by place, a number that leaves room between any two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max, QuerySet

from runs.models import Run, Status
from runs.models.runs import MAX_PRIORITY

if TYPE_CHECKING:
    from runs.models.runs import RunQuerySet

_AT_ONCE = 500  # under SQLite's bound on the parameters of a query


def end_of_queue() -> float:
    """Return a place behind every run that was queued so far."""
    newest = Run.objects.order_by().aggregate(most=Max("pk"))["most"] or 0
    last = Run.objects.filter(status=Status.QUEUED).order_by().aggregate(most=Max("place"))["most"] or 0.0
    return max(float(newest), last) + 1.0


def prioritise(runs: QuerySet[Run], priority: int) -> int:
    """Set the priority of runs that are not over; among others of it they keep their places.

    Returns how many.

    Raises:
        ValueError: for a priority outside -100 .. 100.
    """
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise ValueError(f"priority: expected -{MAX_PRIORITY} to {MAX_PRIORITY}, got {priority}")
    return runs.filter(ended_at=None).update(priority=priority)


def move(run_id: int, before: int | None = None) -> bool:
    """Put a waiting run before another one of its queue, whose priority it takes.

    Args:
        before: None for the end of its own priority.
    """
    with transaction.atomic():
        run = _waiting().filter(pk=run_id).select_for_update().first()
        if run is None or before == run_id:
            return False
        if before is None:
            return _put(run_id, run.priority, end_of_queue())
        other = _waiting().filter(pk=before, queue=run.queue).first()
        if other is None:
            return False
        return _put(run_id, other.priority, _place_before(other, run_id))


def _place_before(other: Run, moving: int) -> float:
    """Find a place between a waiting run and the one before it; where there is no room, make some."""
    place = _gap_before(other, moving)
    if place is None:
        _spread(other)
        other.refresh_from_db(fields=["place"])
        place = _gap_before(other, moving)
    if place is None:
        raise RuntimeError(f"run {other.pk} has no room before it in the queue, although room was made")
    return place


def _gap_before(other: Run, moving: int) -> float | None:
    ahead = list(_same_priority(other).exclude(pk=moving).values_list("pk", "place"))
    index = ahead.index((other.pk, other.place))
    if index == 0:
        return other.place - 1.0
    previous = ahead[index - 1][1]
    place = (previous + other.place) / 2
    return place if previous < place < other.place else None


def _spread(other: Run) -> None:
    """Give the waiting runs of a priority places of their own, in the order that they have."""
    runs = list(_same_priority(other).only("pk", "place"))
    for place, run in enumerate(runs):
        run.place = float(place)
    Run.objects.bulk_update(runs, ["place"], batch_size=_AT_ONCE)


def _same_priority(run: Run) -> RunQuerySet:
    return Run.objects.awaiting_worker().filter(queue=run.queue, priority=run.priority)


def _put(run_id: int, priority: int, place: float) -> bool:
    return bool(_waiting().filter(pk=run_id).update(priority=priority, place=place))


def _waiting() -> QuerySet[Run]:
    return Run.objects.filter(status=Status.QUEUED)
