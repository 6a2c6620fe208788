"""Checkpoints of runs that are over: kept for a while, within a budget, and gone with their runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runs import keeping, retention
from runs.models import Checkpoint, CheckpointPart, Run, Status
from runs.reading.trash import total_size
from runs.store.checkpoints import Keeper, State
from tests.runs.builders import build_finished_run, build_run, build_running_run

pytestmark = pytest.mark.django_db

MB = 2**20


def keep(run: Run, size: int = MB) -> Run:
    keeper = Keeper(run.pk)
    keeper.begin(anew=False)
    keeper.take(State(5, b"x" * size, {}, {}, ""))
    keeper.write_ahead(lambda: None)
    keeper.complete()
    return run


def ended(days: float) -> Run:
    now = timezone.now() - timedelta(days=days)
    return keep(build_finished_run(started_at=now - timedelta(seconds=9), ended_at=now))


def kept() -> set[int]:
    owners = set(Checkpoint.objects.values_list("pk", flat=True))
    assert set(CheckpointPart.objects.values_list("run_id", flat=True)) == owners
    return owners


def test_the_checkpoints_of_runs_that_ended_long_ago_go(settings: Any) -> None:
    settings.CHECKPOINT_DAYS = 7
    fresh, old = ended(6), ended(8)
    assert keeping.sweep(10) == 1
    assert kept() == {fresh.pk}
    assert old.pk not in kept()


def test_no_days_means_that_none_stays(settings: Any) -> None:
    settings.CHECKPOINT_DAYS = 0
    ended(0.001)
    assert keeping.sweep(10) == 1
    assert kept() == set()


def test_beyond_the_budget_those_go_that_ended_first(settings: Any) -> None:
    settings.CHECKPOINT_BUDGET = 2 * MB
    runs = [ended(days) for days in (3, 1, 2)]
    assert keeping.sweep(10) == 1
    assert kept() == {runs[1].pk, runs[2].pk}
    assert keeping.sweep(10) == 0


def test_runs_that_are_not_over_keep_theirs(settings: Any) -> None:
    settings.CHECKPOINT_DAYS = settings.CHECKPOINT_BUDGET = 0
    runs = [keep(build_run(status=status)) for status in (Status.QUEUED, Status.PAUSED, Status.LOST)]
    runs.append(keep(build_running_run()))
    assert keeping.sweep(10) == 0
    assert kept() == {run.pk for run in runs}


def test_parts_that_nobody_completes_go(settings: Any) -> None:
    cut_off, running = keep(build_run()), build_running_run()
    for run in (cut_off, running):
        CheckpointPart.objects.create(run=run, number=9, part=0, data=b"x")
    keeping.sweep(10)
    assert set(CheckpointPart.objects.values_list("run_id", "number")) == {(cut_off.pk, 1), (running.pk, 9)}


def test_a_round_is_made_now_and_then() -> None:
    sweeper = keeping.Sweeper()
    ended(100)
    assert sweeper.look() == 1
    ended(100)
    assert sweeper.look() == 0


def test_a_deleted_runs_checkpoint_counts_and_is_purged_with_it() -> None:
    run = keep(build_finished_run(), 20 * MB)
    assert total_size(Run.objects.all()) == 20 * MB
    retention.discard(Run.objects.all())
    retention.begin_purge(Run.objects.all())
    freed = retention.purge(10)
    assert (freed.runs, freed.bytes) == (1, 20 * MB)
    assert not Run.objects.filter(pk=run.pk).exists()
    assert kept() == set()
