"""Take a batch of a program outside: all of it once, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from django.db import transaction

from nnlab.series.batch import CLOCK, Key, Points
from nnlab.series.errors import SeriesError
from runs.models import Ledger
from runs.outside import summary
from runs.outside.beginning import configure
from runs.outside.errors import BusyError
from runs.outside.hearing import State, listened
from runs.store import writers
from runs.store.writing import write

MAX_PENDING = 4_000_000  # points of a run that wait to become chunks
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds() * 1000


@dataclass(frozen=True)
class Batch:
    """What one request carries.

    Args:
        body: as it came; known for a while where it has no number.
        clock: steps, and the time of each in milliseconds since 1970; stored as those since the run's start.
        writer: the program's name for the process that sends it.
        number: of the batch, upward from 0 for each writer; None for one that has none.
        thinned: the writer kept one step in 2^this.
        parameters: that join the run's configuration.
    """

    body: bytes
    points: Mapping[Key, Points]
    clock: Points | None = None
    writer: str = ""
    number: int | None = None
    thinned: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Receipt(NamedTuple):
    """What became of a batch.

    Args:
        stop: whether the run's owner wants the program to end.
    """

    accepted: int
    repeated: bool
    stop: bool


def accept(run_id: int, batch: Batch) -> Receipt:
    """Store a batch, unless the run has it already.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if the run takes nothing now.
        BusyError: if too much waits to be stored.
        SeriesError: if the run would have too many series, or its clock tells no time.
        SubmissionError: if its parameters cannot be stored.
    """
    with transaction.atomic():
        state = listened(run_id)
        if not _is_news(run_id, batch):
            return Receipt(0, True, state.stop)
        if state.pending > MAX_PENDING:
            raise BusyError(
                f"{state.pending:,} points of run {run_id} wait to be stored; send this batch again"
            )
        write(run_id, _with_clock(batch, state))
        if state.is_due:
            summary.refresh(run_id)
        if batch.parameters:
            configure(run_id, batch.parameters)
        if batch.thinned:
            Ledger.objects.filter(run_id=run_id, thinned__lt=batch.thinned).update(thinned=batch.thinned)
    return Receipt(sum(len(steps) for steps, _ in batch.points.values()), False, state.stop)


def beat(run_id: int) -> bool:
    """Note that a run's program lives though it sends nothing. Returns whether it is asked to stop.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if the run takes nothing now.
    """
    with transaction.atomic():
        state = listened(run_id)
        if state.is_due:
            summary.refresh(run_id)
        return state.stop


def _is_news(run_id: int, batch: Batch) -> bool:
    if batch.number is None:
        return writers.is_new(run_id, batch.body)
    return writers.is_next(run_id, batch.writer, batch.number)


def _with_clock(batch: Batch, state: State) -> Mapping[Key, Points]:
    if batch.clock is None:
        return batch.points
    steps, moments = batch.clock
    possible = (moments >= 0) & (moments <= _LATEST)  # NaN is not
    if not possible.all():
        wrong = int(np.argmin(possible))
        raise SeriesError(
            f"expected times in milliseconds since 1970, got {moments[wrong]:g} at step {steps[wrong]}"
        )
    begun = (state.started_at - _EPOCH).total_seconds() * 1000
    return {**batch.points, CLOCK: (steps, np.round(moments - begun))}
