"""What people want of runs: cancelled, paused and resumed at any moment, and in the order that they say."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import Wish, controlling
from runs.models import Outcome, Queue, Run, Source, Status, Sweep
from tests.runs.builders import build_finished_run, build_run, build_running_run, build_sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def sweep() -> Sweep:
    return build_sweep()


def build_queue(sweep: Sweep, count: int) -> list[int]:
    first = lifecycle.end_of_queue()
    return [build_run(sweep, place=first + number).pk for number in range(count)]


def in_order() -> list[int]:
    return [run.pk for run in Run.objects.awaiting_worker()]


def of(*run_ids: int) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=run_ids)


def test_a_sweep_of_any_size_is_cancelled_by_four_statements(sweep: Sweep) -> None:
    for status in (Status.QUEUED, Status.PAUSED, Status.LOST):
        build_run(sweep, status=status)
    running, done = build_running_run(sweep), build_finished_run(sweep)
    other = build_run()
    with CaptureQueriesContext(connection) as queries:
        assert lifecycle.cancel_all(sweep.runs.all()) == 4
    assert len(queries) == 4
    assert sweep.runs.filter(status=Status.CANCELLED, stop_reason="cancelled").count() == 3
    assert lifecycle.wishes({running.pk: running.token or uuid.uuid4()}) == {running.pk: Wish.CANCEL}
    assert Run.objects.get(pk=done.pk).status == Status.FINISHED
    assert Run.objects.get(pk=other.pk).status == Status.QUEUED


def test_a_run_that_goes_back_to_the_queue_while_it_is_cancelled_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = build_running_run()
    ask = controlling._ask

    def lose_first(runs: QuerySet[Run], **wish: bool) -> int:
        of(run.pk).update(status=Status.LOST, token=None, lease_until=None)
        return ask(runs, **wish)

    monkeypatch.setattr(controlling, "_ask", lose_first)
    assert lifecycle.cancel(run.pk)
    assert Run.objects.get().status == Status.CANCELLED


def test_a_paused_run_keeps_its_place_and_its_attempts() -> None:
    sweep = build_sweep()
    first, second, third = build_queue(sweep, 3)
    token = lifecycle.claim(first, "host-1:42")
    assert token is not None
    assert lifecycle.pause(first)
    assert not lifecycle.pause(first)  # asked already
    assert lifecycle.wishes({first: token}) == {first: Wish.PAUSE}
    assert lifecycle.hold(first, token)
    run = Run.objects.get(pk=first)
    assert (run.status, run.attempt, run.pause_requested) == (Status.PAUSED, 0, False)
    assert run.attempts.get().outcome == Outcome.PAUSED
    assert lifecycle.claim(first, "host-1:42") is None
    assert not lifecycle.finish(first, token)
    assert lifecycle.resume(first)
    assert in_order() == [first, second, third]


@pytest.mark.parametrize("change", [lifecycle.resume, lifecycle.cancel])
def test_a_run_whose_owner_has_changed_their_mind_is_not_held(change: Callable[[int], bool]) -> None:
    run = build_run()
    token = lifecycle.claim(run.pk, "host-1:42")
    assert token is not None
    assert lifecycle.pause(run.pk)
    assert change(run.pk)
    assert not lifecycle.hold(run.pk, token)
    assert Run.objects.get().status == Status.RUNNING


def test_a_run_that_is_handed_back_waits_again_and_the_attempt_does_not_count() -> None:
    run = build_run()
    token = lifecycle.claim(run.pk, "host-1:42")
    assert token is not None
    assert lifecycle.hand_back({run.pk: uuid.uuid4()}) == 0
    assert lifecycle.hand_back({run.pk: token}) == 1
    assert (Run.objects.get().status, Run.objects.get().attempt) == (Status.QUEUED, 0)
    assert run.attempts.get().outcome == Outcome.GIVEN_BACK


def test_who_thinks_again_before_the_worker_has_looked_goes_on(sweep: Sweep) -> None:
    run = build_running_run(sweep)
    lifecycle.pause(run.pk)
    assert lifecycle.resume(run.pk)
    assert lifecycle.wishes({run.pk: run.token or uuid.uuid4()}) == {}
    assert Run.objects.get().status == Status.RUNNING


def test_cancelling_outweighs_pausing(sweep: Sweep) -> None:
    run = build_running_run(sweep)
    lifecycle.pause(run.pk)
    lifecycle.cancel(run.pk)
    assert not lifecycle.pause(run.pk)
    assert lifecycle.wishes({run.pk: run.token or uuid.uuid4()}) == {run.pk: Wish.CANCEL}


def test_a_run_that_ends_before_it_pauses_has_ended(sweep: Sweep) -> None:
    run = build_running_run(sweep)
    lifecycle.pause(run.pk)
    assert lifecycle.finish(run.pk, run.token or uuid.uuid4())
    run.refresh_from_db()
    assert (run.status, run.pause_requested) == (Status.FINISHED, False)


def test_a_run_whose_worker_falls_silent_while_it_shall_pause_is_paused(sweep: Sweep) -> None:
    build_running_run(sweep, pause_requested=True, lease_until=timezone.now() - timedelta(seconds=1))
    lifecycle.mark_lost()
    assert lifecycle.settle_lost() == 0
    run = Run.objects.get()
    assert (run.status, run.pause_requested) == (Status.PAUSED, False)


def test_what_a_program_outside_trains_cannot_be_paused(sweep: Sweep) -> None:
    run = build_running_run(sweep, source=Source.OUTSIDE)
    assert not lifecycle.pause(run.pk)


def test_the_queue_is_sorted_by_priority_and_then_by_place(sweep: Sweep) -> None:
    first, second, third, fourth = build_queue(sweep, 4)
    assert lifecycle.prioritise(of(third), 10) == 1
    assert lifecycle.prioritise(of(first), -10) == 1
    assert in_order() == [third, second, fourth, first]


@pytest.mark.parametrize("priority", [-101, 101, 10**6])
def test_a_priority_out_of_range_is_refused_in_words_and_by_the_database(sweep: Sweep, priority: int) -> None:
    (run_id,) = build_queue(sweep, 1)
    with pytest.raises(ValueError, match=rf"expected -100 to 100, got {priority}"):
        lifecycle.prioritise(of(run_id), priority)
    with pytest.raises(IntegrityError, match="run_priority_is_in_range"), transaction.atomic():
        of(run_id).update(priority=101)


def test_a_run_that_is_over_has_no_priority_to_change() -> None:
    assert lifecycle.prioritise(of(build_finished_run().pk), 5) == 0


def test_a_run_can_be_moved_before_any_other_and_to_the_end(sweep: Sweep) -> None:
    first, second, third, fourth = build_queue(sweep, 4)
    assert lifecycle.move(fourth, before=first)
    assert in_order() == [fourth, first, second, third]
    assert lifecycle.move(first, before=third)
    assert in_order() == [fourth, second, first, third]
    assert lifecycle.move(fourth)
    assert in_order() == [second, first, third, fourth]
    assert lifecycle.move(first, before=third)  # where it is already
    assert in_order() == [second, first, third, fourth]


def test_who_is_moved_before_a_run_of_another_priority_takes_it(sweep: Sweep) -> None:
    first, second = build_queue(sweep, 2)
    lifecycle.prioritise(of(first), 7)
    assert lifecycle.move(second, before=first)
    assert in_order() == [second, first]
    assert Run.objects.get(pk=second).priority == 7


def test_several_runs_move_together_in_the_order_that_they_have(sweep: Sweep) -> None:
    first, second, third, fourth, fifth = build_queue(sweep, 5)
    lifecycle.prioritise(of(fourth), 3)
    some = Run.objects.filter(pk__in=[second, fourth])
    assert lifecycle.move_all(some, before=first) == 2
    assert in_order() == [fourth, second, first, third, fifth]
    assert set(Run.objects.values_list("priority", flat=True)) == {0}
    assert lifecycle.move_all(some, before=fifth) == 2
    assert in_order() == [first, third, fourth, second, fifth]
    assert lifecycle.move_all(some) == 2
    assert in_order() == [first, third, fifth, fourth, second]


def test_runs_are_not_moved_before_one_of_themselves(sweep: Sweep) -> None:
    first, second, third = build_queue(sweep, 3)
    assert lifecycle.move_all(Run.objects.filter(pk__in=[second, third]), before=third) == 0
    assert in_order() == [first, second, third]


def test_runs_that_share_a_place_make_room(sweep: Sweep) -> None:
    alike = [build_run(sweep, place=5.0).pk for _ in range(3)]
    assert lifecycle.move(alike[2], before=alike[1])
    assert in_order() == [alike[0], alike[2], alike[1]]


def test_the_room_between_two_runs_does_not_run_out(sweep: Sweep) -> None:
    first, last = build_queue(sweep, 2)
    moving = build_queue(sweep, 2)
    for number in range(120):
        assert lifecycle.move(moving[number % 2], before=last)
    assert in_order() == [first, moving[0], moving[1], last]


@pytest.mark.parametrize("which", ["itself", "other queue", "not waiting", "unknown"])
def test_a_run_moves_only_before_one_that_waits_for_the_same_workers(sweep: Sweep, which: str) -> None:
    (run_id,) = build_queue(sweep, 1)
    before = {
        "itself": run_id,
        "other queue": build_run(sweep, queue=Queue.GPU).pk,
        "not waiting": build_running_run(sweep).pk,
        "unknown": 10**6,
    }
    assert not lifecycle.move(run_id, before=before[which])


def test_a_run_that_does_not_wait_is_not_moved(sweep: Sweep) -> None:
    (waiting,) = build_queue(sweep, 1)
    assert not lifecycle.move(build_running_run(sweep).pk, before=waiting)


def test_who_is_queued_again_goes_to_the_end(sweep: Sweep) -> None:
    (first, second) = build_queue(sweep, 2)
    lifecycle.cancel(first)
    assert lifecycle.requeue(first)
    assert in_order() == [second, first]
