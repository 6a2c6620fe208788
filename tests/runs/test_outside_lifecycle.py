"""The life of a run that a program outside trains: heard, lost, revived, stopped; never queued."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from runs import lifecycle, queue, submission
from runs.models import Run, RunMetric, Status
from runs.outside import summary
from runs.submitted.specification import SubmissionError
from runs.training import buckets
from tests.runs.builders import build_run, build_running_run
from tests.runs.outside import Program, build_outside_run, fresh, item, silence

pytestmark = pytest.mark.django_db

OUTSIDE = [Status.RUNNING, Status.LOST, Status.FINISHED, Status.FAILED, Status.CANCELLED]
ACTIONS: dict[str, Callable[[int], object]] = {
    "hear": lifecycle.hear,
    "resume": lifecycle.resume_outside,
    "end": lambda pk: lifecycle.end_outside(pk, Status.FINISHED, "end"),
    "cancel": lifecycle.cancel,
    "requeue": lifecycle.requeue,
    "pause": lifecycle.pause,
    "resume a paused one": lifecycle.resume,
    "claim": lambda pk: lifecycle.claim(pk, "host-1:42"),
    "claim a bucket": lambda _: buckets.claim_next("cpu", "host-1:42"),
}
# What is not listed changes nothing.
ALLOWED: dict[tuple[str, Status], Status] = {
    ("hear", Status.RUNNING): Status.RUNNING,
    ("hear", Status.LOST): Status.RUNNING,
    **{("resume", status): Status.RUNNING for status in OUTSIDE},
    ("end", Status.RUNNING): Status.FINISHED,
    ("end", Status.LOST): Status.FINISHED,
    ("cancel", Status.RUNNING): Status.RUNNING,  # asked: the program decides
    ("cancel", Status.LOST): Status.CANCELLED,
}


@pytest.mark.parametrize("status", OUTSIDE)
@pytest.mark.parametrize("action", list(ACTIONS))
def test_a_transition_happens_only_from_the_states_that_allow_it(action: str, status: Status) -> None:
    run = build_outside_run(status)
    before = Run.objects.filter(pk=run.pk).values().get()

    won = bool(ACTIONS[action](run.pk))

    assert won is ((action, status) in ALLOWED)
    assert fresh(run).status == ALLOWED.get((action, status), status)
    if not won:
        assert Run.objects.filter(pk=run.pk).values().get() == before


@pytest.mark.parametrize("action", ["hear", "resume", "end"])
def test_the_engines_runs_are_no_programs_outside(action: str) -> None:
    for run in (build_run(), build_running_run()):
        assert not ACTIONS[action](run.pk)
        assert fresh(run).status == run.status


def test_a_silent_program_is_lost_and_never_queued_or_failed() -> None:
    run = build_outside_run(attempt=7)
    silence(run)
    assert lifecycle.mark_lost() == 1
    assert lifecycle.settle_lost() == 0
    assert fresh(run).status == Status.LOST
    queue.reconcile()
    assert fresh(run).status == Status.LOST


def test_the_table_shows_the_last_points_of_a_program_that_fell_silent() -> None:
    program = Program()
    run = program.begin(headline="loss")
    for step in range(3):
        program.post(f"/{run.pk}/log", {"metrics": [item("loss", float(step), step)]})
    silence(run)
    summary.refresh_silent()
    queue.reconcile()
    assert fresh(run).status == Status.LOST
    assert RunMetric.objects.get(run=run, name__text="loss").last == 2.0
    assert (fresh(run).summary, fresh(run).score, fresh(run).steps_run) == ({"loss": 2.0}, 2.0, 2)


def test_a_lost_program_that_was_asked_to_stop_is_cancelled() -> None:
    run = build_outside_run()
    lifecycle.cancel(run.pk)
    silence(run)
    lifecycle.mark_lost()
    lifecycle.settle_lost()
    assert (fresh(run).status, fresh(run).stop_reason) == (Status.CANCELLED, "cancelled")


def test_a_program_has_minutes_until_it_is_silent() -> None:
    run = build_outside_run()
    silence(run)
    lifecycle.hear(run.pk)
    lease = fresh(run).lease_until
    assert lease is not None
    assert lease > timezone.now() + lifecycle.OUTSIDE_LEASE / 2


def test_a_host_that_ends_takes_no_run_of_a_program_with_it() -> None:
    run = build_outside_run()
    lifecycle.release("host-1", orderly=True)
    assert fresh(run).status == Status.RUNNING


def test_a_run_that_is_resumed_is_no_longer_asked_to_stop() -> None:
    run = build_outside_run(Status.CANCELLED, cancel_requested=True, error="no")
    lifecycle.resume_outside(run.pk)
    again = fresh(run)
    assert (again.cancel_requested, again.error, again.stop_reason, again.ended_at) == (False, "", "", None)
    assert again.attempt == 2


def test_a_request_to_stop_outlives_a_program_that_starts_anew() -> None:
    run = build_outside_run()
    lifecycle.cancel(run.pk)
    lifecycle.resume_outside(run.pk)
    assert fresh(run).cancel_requested


def test_only_its_program_can_train_a_run_again() -> None:
    run = build_outside_run(Status.FAILED)
    assert not queue.retry(Run.objects.filter(pk=run.pk))
    with pytest.raises(SubmissionError, match="only that program"):
        submission.clone(run, None)
