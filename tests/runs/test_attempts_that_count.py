"""Which lost attempts bring a run nearer to being given up: those that came no further than others before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import attempts, lifecycle
from runs.models import Checkpoint, Run, Status
from tests.runs.builders import build_run

pytestmark = pytest.mark.django_db


def go_silent(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    lifecycle.mark_lost()
    lifecycle.settle_lost()


def crash(_: Run) -> None:
    lifecycle.release("host", orderly=False)


LOSSES = {"silent": go_silent, "crashed": crash}


def attempt(run: Run, *, after: int | None, saved: int | None, lose: Callable[[Run], None]) -> None:
    """Let an attempt begin after a step, or end before it began; let it save a checkpoint, and lose it."""
    assert lifecycle.claim(run.pk, "host:1")
    if after is not None:
        attempts.describe(run.pk, after=after, tier="numpy", isa="")
    if saved is not None:
        facts = {"number": 1, "size": 1, "origin": {}, "health": "", "summary": {}}
        Checkpoint.objects.update_or_create(run=run, defaults={"step": saved, **facts})
    lose(run)
    run.refresh_from_db()


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
def test_attempts_that_come_from_checkpoint_to_checkpoint_may_be_lost_without_end(
    lose: Callable[[Run], None],
) -> None:
    run = build_run()
    attempt(run, after=0, saved=100, lose=lose)
    for step in range(100, 2000, 100):
        attempt(run, after=step, saved=step + 100, lose=lose)
        assert (run.status, run.attempt) == (Status.QUEUED, 1)
    assert run.attempts.count() == 20


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
@pytest.mark.parametrize(
    ("after", "saved"),
    [(100, None), (None, None), (0, None), (0, 200)],
    ids=["came no further", "ended before it began", "began anew", "began anew and came further"],
)
def test_attempts_that_come_no_further_are_three_at_most(
    lose: Callable[[Run], None], after: int | None, saved: int | None
) -> None:
    run = build_run()
    attempt(run, after=0, saved=100, lose=lose)
    for number in range(2, lifecycle.MAX_ATTEMPTS + 1):
        assert (run.status, run.attempt) == (Status.QUEUED, number - 1)
        attempt(run, after=after, saved=saved, lose=lose)
    assert (run.status, run.stop_reason) == (Status.FAILED, "worker lost")
    assert "3 attempts that came no further" in run.error
