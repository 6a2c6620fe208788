"""What is kept only for a while: checkpoints of runs that are over, and short links without a name.

Of checkpoints the newest stay, for a while, and as many as there is room for; a run that goes on, waits or is
paused keeps its own in any case. Of short links those stay that somebody made or followed within a year.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from runs.models import OVER, Checkpoint, CheckpointPart, SavedView, Status

logger = logging.getLogger(__name__)

PAUSE = 60.0  # seconds between two rounds
SECONDS = 1.0  # of one round; what is left is for the next


class Sweeper:
    """Removes now and then the checkpoints that nobody needs any more."""

    def __init__(self) -> None:
        self._due = monotonic()

    def look(self) -> int:
        """Remove them if it is time. Returns how many went."""
        if monotonic() < self._due:
            return 0
        removed = sweep(SECONDS)
        self._due = monotonic() + PAUSE
        if removed:
            logger.info("%s checkpoint(s) of runs that are over were removed", removed)
        return removed


def sweep(seconds: float) -> int:
    """Remove what is too old or too much, for at most about so long. Returns how many checkpoints."""
    until, removed = monotonic() + seconds, 0
    _remove_unfinished()
    SavedView.objects.forgotten().delete()
    for run_id in _superfluous():
        if monotonic() > until:
            break
        removed += _remove(run_id)
    return removed


def _superfluous() -> Iterator[int]:
    """Name the runs whose checkpoints are to go: those that ended last keep theirs as long as they fit."""
    ended = Checkpoint.objects.filter(run__status__in=OVER).order_by("-run__ended_at", "-pk")
    fresh = ended.filter(run__ended_at__gt=Now() - timedelta(days=settings.CHECKPOINT_DAYS))
    room: int = settings.CHECKPOINT_BUDGET
    for run_id, size in list(fresh.values_list("pk", "size")):
        room -= size
        if room < 0:
            yield run_id
    yield from list(ended.exclude(pk__in=fresh.order_by().values("pk")).values_list("pk", flat=True))


@transaction.atomic
def _remove(run_id: int) -> bool:
    """Remove a run's checkpoint, unless the run waits to be trained again by now."""
    removed, _ = Checkpoint.objects.filter(pk=run_id, run__status__in=OVER).delete()
    if removed:
        CheckpointPart.objects.filter(run_id=run_id).delete()
    return bool(removed)


def _remove_unfinished() -> None:
    """Remove what was written ahead of checkpoints that nobody completes any more."""
    parts = CheckpointPart.objects.exclude(run__status=Status.RUNNING)
    parts.exclude(number=F("run__checkpoint__number")).delete()
