"""What a program outside says of its run, in lines of the run's log."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from runs.outside.hearing import listened
from runs.store import log
from runs.store.log import Line


def say(run_id: int, lines: Sequence[Line]) -> bool:
    """Add lines to the log of a run. Returns whether its owner wants the program to end.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if it takes nothing now.
    """
    with transaction.atomic():
        state = listened(run_id)
        log.append(run_id, lines)
    return state.stop
