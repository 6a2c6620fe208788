"""The history of a run's attempts, written with each change of the run and never by itself.

Every function is called within the transaction of the conditional UPDATE that it belongs to, after that
UPDATE has won: it holds the run's row, so nobody else writes of the same run.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from django.db.models import F, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Greatest, Now

from nnlab import versions
from runs import workers
from runs.models import Attempt, Outcome, Run

_STEPS_OF_RUN = Subquery(Run.objects.filter(pk=OuterRef("run_id")).values("steps_run")[:1])


def begin(run_ids: Collection[int], process: str) -> None:
    """Note that a process of this host takes runs; three queries, however many they are."""
    host = process.rpartition(":")[0]
    key = workers.present_key(host, [os.getppid(), os.getpid()])
    _begin(run_ids, process=process, worker_id=key, versions=workers.code())


def begin_outside(run_id: int, *, after: int | None = 0) -> None:
    """Note that a program outside trains a run from now on.

    Args:
        after: the step that it goes on from; None for the last one that the run has.
    """
    step = Run.objects.values_list("steps_run", flat=True).get(pk=run_id) if after is None else after
    _begin([run_id], began_after=max(0, step))


def describe(run_id: int, *, after: int, tier: str, isa: str, note: str = "") -> None:
    """Add what a worker knows once it has built the network: a run may ask for another tier than usual."""
    device = versions.device(tier)
    _open([run_id]).update(began_after=after, tier=tier, isa=isa, device=device, note=note)


def end(run_ids: Collection[int], outcome: Outcome, reason: str = "", error: str = "") -> None:
    """Note how the present attempts at runs ended; where there is none, nothing."""
    last_step = Greatest(F("began_after"), _STEPS_OF_RUN)
    _open(run_ids).update(outcome=outcome, reason=reason, error=error, last_step=last_step, ended_at=Now())


def reopen(run_id: int) -> None:
    """Take the last attempt up again: who was taken for lost has only been silent."""
    last = Attempt.objects.filter(run_id=run_id).order_by("-number").first()
    if last is not None and last.outcome == Outcome.LOST:
        Attempt.objects.filter(pk=last.pk).update(outcome="", reason="", error="", ended_at=None)


def _begin(run_ids: Collection[int], **columns: Any) -> None:
    made = Attempt.objects.filter(run__in=run_ids).order_by().values_list("run").annotate(most=Max("number"))
    numbers = dict(made)
    Attempt.objects.bulk_create(
        Attempt(run_id=run_id, number=numbers.get(run_id, 0) + 1, **columns) for run_id in run_ids
    )


def _open(run_ids: Collection[int]) -> QuerySet[Attempt]:
    return Attempt.objects.filter(run__in=run_ids, ended_at=None)
