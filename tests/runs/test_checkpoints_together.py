"""Runs that were trained together go on together, each from its own checkpoint, or from the start."""

from __future__ import annotations

import math

import pytest
from django.conf import settings

from nnlab.engine import population
from runs import lifecycle, submission
from runs.models import Attempt, Checkpoint, CheckpointPart, Run, Status
from runs.tasks import train_next
from runs.training import company
from tests.runs.submissions import build_submission
from tests.runs.watching import interfere, write_at_once
from tests.runs.whole_runs import assert_same

pytestmark = pytest.mark.django_db

MEMBERS = 6  # enough to share vectors
NETWORK = {"steps": 300, "depth": 2, "width": 8, "dropout": 0.2, "batch_size": 8}


def submitted() -> list[int]:
    mapping = build_submission(training=NETWORK, seeds=MEMBERS)
    made = submission.submit(submission.parse(mapping), None)
    return list(made.runs.order_by("seed").values_list("pk", flat=True))


def train(runs: list[int]) -> None:
    train_next("cpu")
    assert set(Run.objects.filter(pk__in=runs).values_list("status", flat=True)) == {Status.FINISHED}


def pause_in_mid_run(monkeypatch: pytest.MonkeyPatch, runs: list[int], at: int) -> None:
    some = Run.objects.filter(pk__in=runs)
    with monkeypatch.context() as attempt:
        write_at_once(attempt)
        attempt.setattr(population, "CHUNK_SECONDS", 1e-9)
        attempt.setattr(settings, "CHECKPOINT_SECONDS", 0.0)
        attempt.setattr(company, "KEEP_SHARE", math.inf)
        interfere(attempt, lambda: lifecycle.pause_all(some), at=at)
        train_next("cpu")
    assert set(some.values_list("status", flat=True)) == {Status.PAUSED}


def test_members_go_on_from_steps_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed, runs = submitted(), submitted()
    train(undisturbed)
    pause_in_mid_run(monkeypatch, runs, at=100)
    for model in (Checkpoint, CheckpointPart):
        model._default_manager.filter(run__in=runs[:2]).delete()  # of these nothing was kept
    lifecycle.resume_all(Run.objects.filter(pk__in=runs[:3]))
    pause_in_mid_run(monkeypatch, runs[:3], at=30)
    lifecycle.resume_all(Run.objects.filter(pk__in=runs))
    train(runs)
    latest = [Attempt.objects.filter(run=run_id).order_by("-number")[0] for run_id in runs]
    steps = [attempt.began_after for attempt in latest]
    assert min(steps) > 0
    assert len(set(steps)) >= 3
    for run_id, other in zip(runs, undisturbed, strict=True):
        assert_same(run_id, other)


def test_what_many_members_leave_is_kept_at_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = submitted()
    pause_in_mid_run(monkeypatch, runs, at=200)
    assert (
        len(set(Checkpoint.objects.values_list("step", flat=True))) <= 2
    )  # so that they share vectors again
