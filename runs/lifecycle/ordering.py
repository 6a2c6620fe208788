"""The order of the queue: by priority, then by place, a number that leaves room between any two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Max, QuerySet

from runs.models import Run, Status
from runs.models.runs import MAX_PRIORITY

if TYPE_CHECKING:
    from runs.models.runs import RunQuerySet

_AT_ONCE = 500  # runs in a statement; under SQLite's bound on its parameters
# Both databases call the columns of a list of values so.
_PUT = """
UPDATE runs_run SET place = wanted.column2, priority = COALESCE(%s, priority)
FROM (VALUES {}) AS wanted WHERE id = wanted.column1 AND status = 'queued'"""


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
    return bool(move_all(Run.objects.filter(pk=run_id), before))


def move_all(runs: QuerySet[Run], before: int | None = None) -> int:
    """Put waiting runs, in the order that they have, before another one of their queue. Returns how many.

    They take its priority.

    Args:
        before: None for the end of their own priorities.
    """
    with transaction.atomic():
        waiting = Run.objects.awaiting_worker().filter(pk__in=runs.order_by().values("pk"))
        if before is None:
            moving = _locked(waiting)
            end = end_of_queue()
            return _put({run_id: end + number for number, run_id in enumerate(moving)})
        other = Run.objects.filter(pk=before, status=Status.QUEUED).first()
        moving = _locked(waiting.filter(queue=other.queue)) if other else []
        if other is None or not moving or before in moving:
            return 0
        return _put(_places_before(other, moving), other.priority)


def _places_before(other: Run, moving: Sequence[int]) -> dict[int, float]:
    """Find places between a waiting run and the one before it; where there is no room, make some."""
    places = _gap_before(other, moving)
    if places is None:
        _put({run_id: float(number) for number, run_id in enumerate(_same_priority(other))})
        other.refresh_from_db(fields=["place"])
        places = _gap_before(other, moving)
    if places is None:
        raise RuntimeError(f"run {other.pk} has no room before it in the queue, although room was made")
    return places


def _gap_before(other: Run, moving: Sequence[int]) -> dict[int, float] | None:
    """Share the gap before a run out; None where it is too narrow for the numbers."""
    staying = _same_priority(other)
    for run_id in moving:
        staying.pop(run_id, None)
    ahead = list(staying).index(other.pk)
    low = list(staying.values())[ahead - 1] if ahead else other.place - len(moving) - 1.0
    step = (other.place - low) / (len(moving) + 1)
    places = [low + step * number for number in range(1, len(moving) + 1)]
    is_wide = all(left < right for left, right in pairwise([low, *places, other.place]))
    return dict(zip(moving, places, strict=True)) if is_wide else None


def _same_priority(run: Run) -> dict[int, float]:
    """Return the places of the runs that wait with the priority of this one, in their order."""
    alike = Run.objects.awaiting_worker().filter(queue=run.queue, priority=run.priority)
    return dict(alike.values_list("pk", "place"))


def _locked(waiting: RunQuerySet) -> list[int]:
    return list(waiting.select_for_update(of=("self",)).values_list("pk", flat=True))


def _put(places: Mapping[int, float], priority: int | None = None) -> int:
    """Write places, and a priority unless runs keep theirs: ten thousand runs in twenty statements."""
    rows = list(places.items())
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            values = [value for row in part for value in row]
            cursor.execute(_PUT.format(", ".join(["(%s, %s)"] * len(part))), [priority, *values])
    return len(rows)
