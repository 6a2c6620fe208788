"""When queued runs will start and end: the queue played through once, with the processes that are there.

Nothing is probed and no configuration is read: each run carries what its work was expected to be when it was
submitted, and how far such expectations were off lately corrects all of them.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import F, Min, Sum, Value
from django.db.models.functions import Coalesce, Now

from runs import bounds, workers
from runs.models import Attempt, Outcome, Run, Source, Status
from runs.models.durations import Seconds
from runs.reading import workers as muster
from runs.training.buckets import MAX_MEMBERS, MAX_SECONDS

if TYPE_CHECKING:
    from runs.models.runs import RunQuerySet

_STEP_SECONDS = 5e-5  # of a run of which nothing was expected when it was submitted
_LATELY = 300  # attempts that expectations are held against
_MOST_OFF = 20.0  # a correction beyond is rather a mistake in what it was taken from
_HELD_BACK = "Its project or submitter has as many runs at once as allowed; it starts when one of them ends."


class Expected(NamedTuple):
    """Where a queued run stands.

    Args:
        position: among the runs of its queue; 1 is the next.
        starts_in: seconds; None where it cannot be told, and then there is a reason.
        ends_in: likewise.
    """

    position: int
    starts_in: float | None
    ends_in: float | None
    reason: str = ""


@dataclass(frozen=True)
class Backlog:
    """What stands before a run that is submitted now.

    Args:
        seconds: until it starts, about.
        waiting: runs of its queue.
        processes: that take runs of its queue.
    """

    queue: str
    seconds: float
    waiting: int
    processes: int


class _Waiting(NamedTuple):
    run: int
    sweep: int
    shape: str
    attempt: int
    seconds: float
    is_held_back: bool = False


def expected_starts(runs: Collection[int] | None = None) -> dict[int, Expected]:
    """Say when queued runs will start and end, in a handful of queries however many they are.

    Args:
        runs: those to tell about; None for all. All that wait are counted in any case.
    """
    found: dict[int, Expected] = {}
    wanted = None if runs is None else set(runs)
    for queue, waiting in _waiting().items():
        processes = _processes(queue)
        reason = "" if processes else (muster.why_waiting() or f"No worker takes runs of the queue {queue}.")
        free = [one for one in waiting if not one.is_held_back]
        times = _played(free, _free_times(queue, processes)) if processes else {}
        for position, one in enumerate(waiting, 1):
            if wanted is None or one.run in wanted:
                starts, ends = times.get(one.run, (None, None))
                why = _HELD_BACK if one.is_held_back and processes else reason
                found[one.run] = Expected(position, starts, ends, why)
    return found


def backlog(queue: str) -> Backlog:
    """Say what stands before a run that is submitted now."""
    waiting = _waiting(queue).get(queue, [])
    processes = _processes(queue)
    if not processes:
        return Backlog(queue, 0.0, len(waiting), 0)
    free = _free_times(queue, processes)
    _played([one for one in waiting if not one.is_held_back], free)
    return Backlog(queue, free[0], len(waiting), processes)


def _waiting(queue: str | None = None) -> dict[str, list[_Waiting]]:
    """Read the runs that wait, by queue, in the order in which they are taken."""
    rows = Run.objects.awaiting_worker()
    if queue is not None:
        rows = rows.filter(queue=queue)
    factor = _off_lately()
    guessed = Coalesce(F("expected_seconds"), F("steps_requested") * Value(_STEP_SECONDS), Value(1.0))
    found: dict[str, list[_Waiting]] = defaultdict(list)
    columns = ("queue", "pk", "sweep", "shape_key", "attempt")
    held_back = set(_held_back(rows))
    for taken_by, run, sweep, shape, attempt, seconds in rows.annotate(guess=guessed).values_list(
        *columns, "guess"
    ):
        found[taken_by].append(_Waiting(run, sweep, shape, attempt, seconds * factor, run in held_back))
    return found


def _held_back(rows: RunQuerySet) -> Iterable[int]:
    """Return the runs that are not taken now because their project or person has its fill."""
    full = bounds.full()
    if not full.projects and not full.users:
        return ()
    taken = full.leave_out(rows).order_by().values("pk")
    return rows.order_by().exclude(pk__in=taken).values_list("pk", flat=True)


def _processes(queue: str) -> int:
    """Count the processes that take runs of a queue; those beyond a host's cores do not speed it up."""
    return sum(min(worker.concurrency, worker.cores) for worker in workers.taking(queue))


def _free_times(queue: str, processes: int) -> list[float]:
    """Return in how many seconds each process will have ended what it trains, as a heap."""
    held = Attempt.objects.filter(
        ended_at=None, run__queue=queue, run__status=Status.RUNNING, run__source=Source.ENGINE
    )
    left = (
        held.order_by()
        .values("process")
        .annotate(
            work=Sum(Coalesce(F("run__expected_seconds"), Value(1.0))),
            steps=Sum("run__steps_requested"),
            done=Sum("run__steps_run"),
            spent=Seconds(Now(), Min("started_at")),
        )
    )
    times = [_left(row["work"], row["spent"], row["done"], row["steps"]) for row in left]
    free = sorted(times)[:processes] + [0.0] * (processes - len(times))
    heapq.heapify(free)
    return free


def _left(work: float, spent: float, done: int | None, steps: int | None) -> float:
    """Return what is left: by its own speed once a tenth is done, before that as was expected."""
    share = (done or 0) / steps if steps else 0.0
    if share >= 0.1:
        return max(0.0, spent * (1.0 - share) / share)
    return max(0.0, work - spent)


def _played(waiting: list[_Waiting], free: list[float]) -> dict[int, tuple[float, float]]:
    """Let the processes take the runs one after the other; runs of one shape and sweep are taken together.

    Args:
        free: a heap of when each process is free; it is left as it is at the end.
    """
    alike: dict[tuple[int, str], deque[_Waiting]] = defaultdict(deque)
    for one in waiting:
        if one.shape and not one.attempt:
            alike[one.sweep, one.shape].append(one)
    times: dict[int, tuple[float, float]] = {}
    for one in waiting:
        if one.run in times:
            continue
        start = free[0]
        left = len(waiting) - len(times)
        together = [one, *_company(one, alike[one.sweep, one.shape], times, ceil(left / len(free)))]
        end = start + sum(member.seconds for member in together)
        times.update((member.run, (start, end)) for member in together)
        heapq.heapreplace(free, end)
    return times


def _company(
    one: _Waiting, alike: deque[_Waiting], times: dict[int, tuple[float, float]], share: int
) -> Iterator[_Waiting]:
    """Take those that are trained along with a run, as ``runs.training.buckets`` does."""
    if one.attempt or not one.shape:
        return
    most = min(MAX_MEMBERS, share, int(MAX_SECONDS / max(one.seconds, 1e-3)))
    taken = 1
    while alike and taken < most:
        other = alike.popleft()
        if other.run != one.run and other.run not in times:
            taken += 1
            yield other


def _off_lately() -> float:
    """Return by which factor runs took longer lately than was expected of them."""
    ended = Attempt.objects.filter(
        outcome=Outcome.FINISHED, began_after=0, run__source=Source.ENGINE, run__expected_seconds__gt=0.0
    )
    columns = ("process", "started_at", "ended_at", "run__expected_seconds")
    rows = list(ended.order_by("-pk").values_list(*columns)[:_LATELY])
    expected = sum(row[3] for row in rows)
    if not expected:
        return 1.0
    spent = sum(
        _busy([(row[1].timestamp(), row[2].timestamp()) for row in rows if row[0] == process])
        for process in {row[0] for row in rows}
    )
    return float(min(max(spent / expected, 1.0 / _MOST_OFF), _MOST_OFF))


def _busy(spans: Iterable[tuple[float, float]]) -> float:
    """Add up the time that spans cover: a process trains several runs together."""
    covered, until = 0.0, float("-inf")
    for first, last in sorted(spans):
        covered += max(0.0, last - max(first, until))
        until = max(until, last)
    return covered
