"""Which queued runs a worker takes at once, to train them together.

Buckets are not kept anywhere: the rows are asked when a worker claims, and a message is only a wake-up. Runs
share a bucket where they belong to one sweep, which has one data configuration and one owner, and have
networks of one shape. Runs of other sweeps stay out even where they would fit: nobody's run shall jump the
queue, or crash, because of somebody else's.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max

from runs import bounds, lifecycle, queue
from runs.models import Run
from runs.training import limits

if TYPE_CHECKING:
    from runs.models.runs import RunQuerySet

MAX_MEMBERS = 128  # a round over all of them, a few milliseconds each, stays under a second
MAX_BYTES = 256 * 2**20  # of a population: several workers share a small machine
MAX_SECONDS = 300.0  # of a population's work, about: what is lost with its worker
MAX_STEP_SECONDS = 0.005  # networks with longer steps gain nothing from company, and answer slowly in it

# One core of ten years ago; the estimates only have to be right within a small factor.
_STEP_OVERHEAD = 1e-5
_OPERATIONS_PER_SECOND = 2e10
_OPERATIONS = 6  # per parameter and row: a multiplication and an addition, forward and twice backward
_PARAMETER_BYTES = 5 * 4  # the parameters, their gradient, the optimizer's two moments, the best snapshot
_UNIT_BYTES = 4 * 4  # per row of a batch: sum, activation, delta, dropout's mask


def claim_next(name: str, worker: str) -> dict[int, UUID]:
    """Take the first waiting run of a queue, and of its bucket as many as leave other workers their share.

    All of them or none: two workers that are woken at once do not tear a bucket apart.

    Returns:
        The fencing tokens by run, the first run's first; nothing where no run waits.
    """
    full = bounds.full()
    while True:
        with transaction.atomic():
            waiting = full.leave_out(Run.objects.awaiting_worker().filter(queue=name))
            first = lifecycle.claim_first(waiting, 1, worker)
            if not first:
                return {}
            run = Run.objects.select_related("project", "sweep").get(pk__in=first)
            allowed = bounds.room_beside(run)
            if allowed is None or allowed >= 0:
                others = _others(run)
                return first | lifecycle.claim_first(others, _room(run, others, allowed), worker)
            transaction.set_rollback(True)  # somebody else took its owner's last place a moment ago
        full = bounds.full()


def _others(run: Run) -> RunQuerySet:
    """Return what waits of a run's bucket.

    A run that an earlier attempt lost, or whose shape is not known, trains alone: if it is the one that ends
    its workers, it shall not take others with it. Runs of another priority or limit are no company either.
    """
    if not run.shape_key or run.attempt > 1:
        return Run.objects.none()
    alike = {name: getattr(run, name) for name in ("queue", "priority", "time_limit", "memory_limit_mb")}
    bucket = Run.objects.filter(sweep=run.sweep_id, shape_key=run.shape_key, attempt=0, **alike)
    return bucket.awaiting_worker()


def _room(run: Run, others: RunQuerySet, allowed: int | None) -> int:
    """Count how many of the others this worker should take, at most so many as its owners may have.

    A worker takes its share of all that waits, and the next one its share of what is left: many runs at
    first, and few towards the end, when a worker without work would show.
    """
    found = others.order_by().aggregate(count=Count("pk"), steps=Max("steps_requested"))
    steps = max(run.steps_requested or 0, found["steps"] or 0)
    room: int = min(found["count"], _most_members(run, steps) - 1)
    if room < 1:
        return 0
    waiting = Run.objects.awaiting_worker().filter(queue=run.queue).count() + 1
    share = ceil(waiting / queue.live_workers(run.queue)) - 1
    return min(room, share) if allowed is None else min(room, share, allowed)


def _most_members(run: Run, steps: int) -> int:
    """Bound a population by its memory and its work, both estimated from one member's."""
    parameters, batch_size = run.parameters or 0, run.batch_size or 0  # the engine's runs have both
    products = parameters * batch_size * _OPERATIONS / _OPERATIONS_PER_SECOND
    if products > MAX_STEP_SECONDS:
        return 1
    seconds = steps * (products + _STEP_OVERHEAD)
    units: int = sum(run.training["hidden_units"])
    size = parameters * _PARAMETER_BYTES + units * batch_size * _UNIT_BYTES
    longest = min(MAX_SECONDS, limits.time_limit_of(run) / 2)
    return min(MAX_MEMBERS, int(longest / seconds), int(MAX_BYTES / size))
