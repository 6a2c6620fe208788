"""The life of a run: every transition from every state, and what the database itself refuses."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import Wish
from runs.models import ACTIVE, OVER, Run, RunMetric, Status
from runs.store.writing import write
from tests.runs.builders import build_finished_run, build_run, build_running_run, build_sweep

pytestmark = pytest.mark.django_db

TOKEN = uuid.UUID(int=7)
OTHER = uuid.UUID(int=8)


def build(status: Status, **fields: Any) -> Run:
    """Make a run in a state, as the product leaves it there."""
    now = timezone.now()
    started: dict[str, Any] = {"attempt": 1, "started_at": now - timedelta(seconds=5)}
    over = {**started, "ended_at": now}
    held = {**started, "token": TOKEN, "lease_until": now + lifecycle.LEASE}
    columns: dict[Status, dict[str, Any]] = {
        Status.QUEUED: {},
        Status.RUNNING: held,
        Status.PAUSED: {**started, "attempt": 0},
        Status.LOST: started,
        Status.FINISHED: {**over, "stop_reason": "end"},
        Status.FAILED: {**over, "stop_reason": "diverged", "error": "Diverged."},
        Status.CANCELLED: {**over, "stop_reason": "cancelled", "cancel_requested": True},
    }
    return build_run(status=status, **{**columns[status], **fields})


def fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


ACTIONS: dict[str, Callable[[int], object]] = {
    "claim": lambda pk: lifecycle.claim(pk, "host-1:42"),
    "finish": lambda pk: lifecycle.finish(pk, TOKEN),
    "fail": lambda pk: lifecycle.fail(pk, TOKEN, "diverged", "Diverged."),
    "stop": lambda pk: lifecycle.stop(pk, TOKEN),
    "hold": lambda pk: lifecycle.hold(pk, TOKEN),
    "cancel": lifecycle.cancel,
    "pause": lifecycle.pause,
    "resume": lifecycle.resume,
    "requeue": lifecycle.requeue,
}
NEEDED = {"hold": {"pause_requested": True}}  # of a run, for an action that its owner has to want
ENDINGS = {"finish", "fail", "stop", "hold"}
# What is not listed changes nothing.
ALLOWED: dict[tuple[str, Status], Status] = {
    ("claim", Status.QUEUED): Status.RUNNING,
    ("finish", Status.RUNNING): Status.FINISHED,
    ("fail", Status.RUNNING): Status.FAILED,
    ("stop", Status.RUNNING): Status.CANCELLED,
    ("hold", Status.RUNNING): Status.PAUSED,
    ("cancel", Status.QUEUED): Status.CANCELLED,
    ("cancel", Status.PAUSED): Status.CANCELLED,
    ("cancel", Status.LOST): Status.CANCELLED,
    ("cancel", Status.RUNNING): Status.RUNNING,  # asked, not forced: its worker stops it
    ("pause", Status.QUEUED): Status.PAUSED,
    ("pause", Status.RUNNING): Status.RUNNING,  # asked, too
    ("resume", Status.PAUSED): Status.QUEUED,
    ("requeue", Status.FAILED): Status.QUEUED,
    ("requeue", Status.CANCELLED): Status.QUEUED,
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("action", list(ACTIONS))
def test_a_transition_happens_only_from_the_states_that_allow_it(action: str, status: Status) -> None:
    run = build(status, **NEEDED.get(action, {}))
    before = Run.objects.filter(pk=run.pk).values().get()

    won = bool(ACTIONS[action](run.pk))

    assert won is ((action, status) in ALLOWED)
    assert fresh(run).status == ALLOWED.get((action, status), status)
    if not won:
        assert Run.objects.filter(pk=run.pk).values().get() == before


@pytest.mark.parametrize("action", list(ACTIONS))
def test_what_a_worker_does_is_one_update_and_what_people_want_a_few_for_all_their_runs(action: str) -> None:
    run = build(Status.RUNNING, **NEEDED.get(action, {}))
    with CaptureQueriesContext(connection) as queries:
        ACTIONS[action](run.pk)
    written = [query["sql"] for query in queries if query["sql"].startswith(("UPDATE", "INSERT"))]
    of_runs = [sql for sql in written if sql.startswith('UPDATE "runs_run"')]
    assert len(of_runs) == {"claim": 0, "cancel": 3, "pause": 3, "resume": 2}.get(action, 1)
    ended = [sql for sql in written if sql.startswith('UPDATE "runs_attempt"')]
    assert len(ended) == (1 if action in ENDINGS else 0)
    assert of_runs + ended == written


@pytest.mark.parametrize("action", list(ACTIONS))
def test_a_run_that_does_not_exist_is_nobodys(action: str) -> None:
    assert not ACTIONS[action](1_000_000)


def test_only_the_first_of_two_claims_wins() -> None:
    run = build_run()
    first, second = lifecycle.claim(run.pk, "host-1:1"), lifecycle.claim(run.pk, "host-2:2")
    assert first is not None
    assert second is None
    assert fresh(run).token == first
    assert fresh(run).worker == "host-1:1"


def test_the_first_of_the_waiting_runs_are_claimed_each_with_a_token_of_its_own() -> None:
    sweep = build_sweep()
    held, *waiting = [build_run(sweep) for _ in range(5)]
    lifecycle.claim(held.pk, "host-1:1")
    tokens = lifecycle.claim_first(Run.objects.awaiting_worker(), 3, "host-2:2")
    assert list(tokens) == [run.pk for run in waiting[:3]]
    assert len(set(tokens.values())) == 3
    for run in map(fresh, waiting[:3]):
        assert (run.status, run.worker, run.attempt) == (Status.RUNNING, "host-2:2", 1)
        assert run.token == tokens[run.pk]
        assert run.lease_until is not None
    assert fresh(waiting[3]).status == Status.QUEUED
    assert fresh(held).worker == "host-1:1"


def test_a_run_that_somebody_else_holds_is_not_among_the_claimed() -> None:
    run, waiting = build(Status.RUNNING), build_run()
    assert list(lifecycle.claim_first(Run.objects.order_by("pk"), 5, "host-2:2")) == [waiting.pk]
    assert fresh(run).token == TOKEN
    assert lifecycle.claim_first(Run.objects.awaiting_worker(), 5, "host-2:2") == {}


def test_one_beat_prolongs_the_leases_of_all_that_are_still_ours() -> None:
    soon = timezone.now() + timedelta(seconds=1)
    ours = build(Status.RUNNING, lease_until=soon)
    taken = build(Status.RUNNING, lease_until=soon, token=uuid.UUID(int=9))
    over = build(Status.FINISHED)
    claims = {ours.pk: TOKEN, taken.pk: OTHER, over.pk: uuid.UUID(int=10)}
    with CaptureQueriesContext(connection) as queries:
        assert lifecycle.beat(claims) == 1
    assert len(queries) == 1
    lease = fresh(ours).lease_until
    assert lease is not None
    assert lease > soon
    assert fresh(taken).lease_until == soon


def test_surrendered_runs_are_queued_again_and_the_attempt_counts() -> None:
    first, last = (build(Status.RUNNING, attempt=n) for n in (1, lifecycle.MAX_ATTEMPTS))
    taken = build(Status.RUNNING, token=OTHER)
    assert lifecycle.surrender(dict.fromkeys([first.pk, last.pk, taken.pk], TOKEN)) == 1
    assert (fresh(first).status, fresh(first).attempt) == (Status.QUEUED, 1)
    assert fresh(last).status == Status.FAILED
    assert fresh(taken).token == OTHER


def test_a_claim_starts_a_lease_counts_the_attempt_and_clears_the_last_ones_traces() -> None:
    run = build_run(attempt=1, steps_run=70, error="The worker fell silent.", stop_reason="worker lost")
    lifecycle.claim(run.pk, "host-1:42")
    run = fresh(run)
    assert (run.attempt, run.steps_run, run.error, run.stop_reason) == (2, 0, "", "")
    assert run.lease_until is not None
    assert run.started_at is not None
    assert run.lease_until - run.started_at == lifecycle.LEASE  # both of the database's clock


def test_a_stale_token_cannot_beat_finish_fail_or_stop() -> None:
    run = build(Status.RUNNING)
    before = Run.objects.filter(pk=run.pk).values().get()
    assert lifecycle.beat({run.pk: OTHER}) == 0
    assert lifecycle.surrender({run.pk: OTHER}) == 0
    assert not lifecycle.finish(run.pk, OTHER)
    assert not lifecycle.fail(run.pk, OTHER, "error", "ValueError")
    assert not lifecycle.stop(run.pk, OTHER)
    assert Run.objects.filter(pk=run.pk).values().get() == before


def test_a_beat_prolongs_the_lease() -> None:
    run = build(Status.RUNNING, lease_until=timezone.now() + timedelta(seconds=1))
    assert lifecycle.beat({run.pk: TOKEN}) == 1
    lease = fresh(run).lease_until
    assert lease is not None
    assert lease > timezone.now() + lifecycle.LEASE / 2


def test_a_lease_outlasts_three_missed_beats() -> None:
    assert 3 * lifecycle.HEARTBEAT < lifecycle.LEASE


@pytest.mark.parametrize("end", [lifecycle.finish, lifecycle.stop])
def test_an_ended_run_gives_its_token_back(end: Callable[[int, uuid.UUID], bool]) -> None:
    run = build(Status.RUNNING)
    assert end(run.pk, TOKEN)
    run = fresh(run)
    assert (run.token, run.lease_until) == (None, None)
    assert run.ended_at is not None
    assert lifecycle.beat({run.pk: TOKEN}) == 0


def test_a_failed_run_keeps_why() -> None:
    run = build(Status.RUNNING)
    lifecycle.fail(run.pk, TOKEN, "diverged", "Diverged: the loss stopped being finite at step 3.")
    run = fresh(run)
    assert (run.stop_reason, run.error) == ("diverged", "Diverged: the loss stopped being finite at step 3.")
    assert run.diverged


def test_a_run_may_end_at_the_moment_it_started() -> None:
    for _ in range(50):
        run = build_run()
        token = lifecycle.claim(run.pk, "host-1:42")
        assert token is not None
        assert lifecycle.finish(run.pk, token)


def silent(**fields: Any) -> Run:
    return build_running_run(**{"lease_until": timezone.now() - timedelta(seconds=1), **fields})


def test_a_silent_worker_loses_its_run() -> None:
    run = silent(token=TOKEN)
    alive = build_running_run()
    assert lifecycle.mark_lost() == 1
    assert fresh(run).status == Status.LOST
    assert fresh(alive).status == Status.RUNNING
    assert lifecycle.beat({run.pk: TOKEN}) == 0
    assert not lifecycle.finish(run.pk, TOKEN)


def test_a_lost_run_is_queued_again_and_waits_for_a_wake_up() -> None:
    run = silent()
    lifecycle.mark_lost()
    assert lifecycle.settle_lost() == 1
    run = fresh(run)
    assert (run.status, run.attempt, run.started_at) == (Status.QUEUED, 1, None)


def test_a_run_that_lost_its_worker_in_every_attempt_fails_and_says_so() -> None:
    run = build_run()
    for attempt in range(1, lifecycle.MAX_ATTEMPTS + 1):
        assert lifecycle.claim(run.pk, f"host-1:{attempt}")
        Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        lifecycle.mark_lost()
        lifecycle.settle_lost()
    run = fresh(run)
    assert (run.status, run.stop_reason) == (Status.FAILED, "worker lost")
    assert f"{lifecycle.MAX_ATTEMPTS} attempts" in run.error


def lose_silent(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    lifecycle.mark_lost()


def lose_surrendered(run: Run) -> None:
    lifecycle.surrender({run.pk: TOKEN})


def lose_released(_: Run) -> None:
    lifecycle.release("host-1", orderly=False)


@pytest.mark.parametrize("lose", [lose_silent, lose_surrendered, lose_released])
def test_the_table_shows_the_last_points_of_a_run_that_lost_its_worker(lose: Callable[[Run], None]) -> None:
    run = build_running_run(token=TOKEN, attempt=lifecycle.MAX_ATTEMPTS)
    for step in range(3):
        write(run.pk, {("loss", None): (np.array([step]), np.array([float(step)]))})
    lose(run)
    assert RunMetric.objects.get(run=run, name__text="loss").last == 2.0


def test_a_lost_run_whose_owner_asked_it_to_stop_is_not_queued_again() -> None:
    run = silent(cancel_requested=True, attempt=lifecycle.MAX_ATTEMPTS)
    lifecycle.mark_lost()
    assert lifecycle.settle_lost() == 0
    assert (fresh(run).status, fresh(run).stop_reason) == (Status.CANCELLED, "cancelled")


def test_the_reconcilers_steps_change_nothing_where_all_is_well() -> None:
    for status in set(Status) - {Status.LOST}:
        build(status)
    before = list(Run.objects.values())
    assert (lifecycle.mark_lost(), lifecycle.settle_lost()) == (0, 0)
    assert list(Run.objects.values()) == before


def test_cancelling_a_running_run_tells_its_worker_and_leaves_the_ending_to_it() -> None:
    run = build(Status.RUNNING)
    assert lifecycle.cancel(run.pk)
    assert lifecycle.wishes({run.pk: TOKEN}) == {run.pk: Wish.CANCEL}
    assert lifecycle.wishes({run.pk: OTHER}) == {}
    assert lifecycle.beat({run.pk: TOKEN}) == 1
    assert lifecycle.stop(run.pk, TOKEN)
    assert fresh(run).stop_reason == "cancelled"


def test_a_run_that_was_never_started_can_be_cancelled() -> None:
    run = build_run()
    lifecycle.cancel(run.pk)
    run = fresh(run)
    assert run.started_at is None
    assert run.ended_at is not None
    assert lifecycle.claim(run.pk, "host-1:42") is None


def test_a_requeued_run_has_all_its_attempts_before_it_and_no_wish_to_stop() -> None:
    run = build(Status.CANCELLED, attempt=lifecycle.MAX_ATTEMPTS, error="x")
    Run.objects.filter(pk=run.pk).update(steps_run=7, score=1.5, summary={"val_loss": 1.5}, tier="numpy")
    assert lifecycle.requeue(run.pk)
    run = fresh(run)
    assert (run.attempt, run.cancel_requested, run.error, run.stop_reason) == (0, False, "", "")
    assert (run.steps_run, run.score, run.summary, run.tier) == (0, None, {}, "")
    assert (run.started_at, run.ended_at) == (None, None)
    token = lifecycle.claim(run.pk, "host-1:42")
    assert token is not None
    assert lifecycle.wishes({run.pk: token}) == {}


def test_releasing_a_host_queues_its_runs_and_no_others_and_costs_no_attempt() -> None:
    ours = build_running_run(worker="web-1:42", attempt=lifecycle.MAX_ATTEMPTS)
    others = [build_running_run(worker="web-10:42"), build_running_run(worker="web-1.example:42")]
    assert lifecycle.release("web-1", orderly=True) == 1
    assert (fresh(ours).status, fresh(ours).attempt) == (Status.QUEUED, lifecycle.MAX_ATTEMPTS - 1)
    assert [fresh(run).status for run in others] == [Status.RUNNING] * 2


def test_a_crash_of_the_host_counts_as_an_attempt() -> None:
    first, last = (build_running_run(worker="web-1:42", attempt=n) for n in (1, lifecycle.MAX_ATTEMPTS))
    assert lifecycle.release("web-1", orderly=False) == 1
    assert (fresh(first).status, fresh(first).attempt) == (Status.QUEUED, 1)
    assert fresh(last).status == Status.FAILED


def test_a_hosts_name_is_no_pattern() -> None:
    run = build_running_run(worker="webX1:42")
    lifecycle.release("web_1", orderly=True)
    lifecycle.release("%", orderly=True)
    assert fresh(run).status == Status.RUNNING


REFUSED: list[tuple[str, Status, dict[str, Any]]] = [
    ("run_status_is_known", Status.QUEUED, {"status": "asleep"}),
    ("run_has_token_iff_running", Status.QUEUED, {"token": TOKEN}),
    ("run_has_token_iff_running", Status.RUNNING, {"token": None}),
    ("run_has_token_iff_running", Status.RUNNING, {"lease_until": None}),
    ("run_has_token_iff_running", Status.FINISHED, {"token": TOKEN, "lease_until": timezone.now()}),
    ("run_has_token_iff_running", Status.LOST, {"lease_until": timezone.now()}),
    ("run_started_if_it_ran", Status.RUNNING, {"started_at": None}),
    ("run_started_if_it_ran", Status.FINISHED, {"started_at": None}),
    *[("run_ended_iff_over", status, {"ended_at": None}) for status in OVER],
    *[("run_ended_iff_over", status, {"ended_at": timezone.now() + timedelta(days=1)}) for status in ACTIVE],
    ("run_ends_after_it_starts", Status.FINISHED, {"ended_at": timezone.now() - timedelta(days=1)}),
]


@pytest.mark.parametrize(("constraint", "status", "change"), REFUSED)
def test_the_database_refuses_what_must_not_be(
    constraint: str, status: Status, change: dict[str, Any]
) -> None:
    run = build(status)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(**change)


def test_a_finished_run_says_that_it_is_over() -> None:
    assert build_finished_run().is_over
    assert not build_running_run().is_over
