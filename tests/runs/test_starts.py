"""When queued runs will start: the queue played through with the processes that are there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.estimating.starts import expected_starts
from runs.models import Attempt, Outcome, Project, Run
from tests.runs.builders import build_finished_run, build_project, build_run, build_running_run, build_sweep
from tests.runs.test_workers import build_worker

pytestmark = pytest.mark.django_db


def starts() -> dict[int, float | None]:
    return {run: found.starts_in for run, found in expected_starts().items()}


def build_waiting(seconds: float, *, alone: bool = True, **columns: Any) -> Run:
    shape: dict[str, Any] = {"shape_key": ""} if alone else {}
    return build_run(expected_seconds=seconds, **shape, **columns)


def test_two_processes_take_the_runs_in_their_order() -> None:
    build_worker(concurrency=2, cores=2)
    first, second, third, fourth = (build_waiting(seconds) for seconds in (10.0, 4.0, 5.0, 1.0))
    found = expected_starts()
    assert [found[run.pk].position for run in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert [found[run.pk].starts_in for run in (first, second, third, fourth)] == [0.0, 0.0, 4.0, 9.0]
    assert [found[run.pk].ends_in for run in (first, second, third, fourth)] == [10.0, 4.0, 9.0, 10.0]


def test_what_is_more_urgent_comes_first() -> None:
    build_worker(concurrency=1)
    usual, urgent = build_waiting(7.0), build_waiting(3.0, priority=5)
    assert starts() == {urgent.pk: 0.0, usual.pk: 3.0}


def test_runs_that_are_trained_together_start_together() -> None:
    build_worker(concurrency=1)
    sweep = build_sweep()
    other = build_waiting(1.0)
    alike = [build_waiting(2.0, alone=False, sweep=sweep) for _ in range(3)]
    found = expected_starts()
    assert [found[run.pk].starts_in for run in (other, *alike)] == [0.0, 1.0, 1.0, 1.0]
    assert {found[run.pk].ends_in for run in alike} == {7.0}


def test_each_queue_has_its_own_workers() -> None:
    build_worker(concurrency=1)
    on_cpu, on_gpu = build_waiting(2.0), build_waiting(2.0, queue="gpu")
    found = expected_starts()
    assert (found[on_cpu.pk].position, found[on_cpu.pk].starts_in) == (1, 0.0)
    assert (found[on_gpu.pk].position, found[on_gpu.pk].starts_in) == (1, None)
    assert found[on_gpu.pk].reason == "No worker takes runs of the queue gpu."


def test_without_a_worker_it_says_why() -> None:
    run = build_waiting(2.0)
    found = expected_starts([run.pk])[run.pk]
    assert (found.position, found.starts_in, found.ends_in) == (1, None, None)
    assert found.reason == "No worker is running, so nothing can start."


def test_a_process_is_free_once_what_it_trains_has_ended() -> None:
    build_worker(concurrency=1)
    held = build_running_run(expected_seconds=30.0, steps_run=50, steps_requested=100)
    Attempt.objects.create(
        run=held, number=1, process="host-1:42", started_at=timezone.now() - timedelta(seconds=20)
    )
    run = build_waiting(2.0)
    assert starts()[run.pk] == pytest.approx(20.0, abs=1.0)  # half of it took 20 s


def test_expectations_are_corrected_by_how_far_they_were_off_lately() -> None:
    build_worker(concurrency=1)
    now = timezone.now()
    for number in range(3):
        over = build_finished_run(expected_seconds=2.0)
        Attempt.objects.create(
            run=over,
            number=1,
            process=f"host-1:{number}",
            started_at=now - timedelta(seconds=6),
            ended_at=now,
            outcome=Outcome.FINISHED,
        )
    first, second = build_waiting(10.0), build_waiting(10.0)
    assert starts() == {first.pk: 0.0, second.pk: pytest.approx(30.0, rel=0.01)}


def test_runs_whose_project_has_its_fill_say_so_and_are_before_nobody() -> None:
    build_worker(concurrency=2, cores=2)
    project = build_project()
    Project.objects.filter(pk=project.pk).update(max_running=1)
    build_running_run(build_sweep(project), expected_seconds=0.0)
    held_back, other = build_waiting(50.0, project=project), build_waiting(5.0)
    found = expected_starts()
    assert (found[held_back.pk].position, found[held_back.pk].starts_in) == (1, None)
    assert "as many runs at once as allowed" in found[held_back.pk].reason
    assert (found[other.pk].position, found[other.pk].starts_in) == (2, 0.0)


def test_only_those_asked_for_are_told_though_all_are_counted() -> None:
    build_worker(concurrency=1)
    _, last = build_waiting(5.0), build_waiting(5.0)
    found = expected_starts([last.pk])
    assert list(found) == [last.pk]
    assert (found[last.pk].position, found[last.pk].starts_in) == (2, 5.0)


def test_many_waiting_runs_need_no_more_queries_than_one() -> None:
    build_worker(concurrency=2)
    counts = []
    for _ in range(2):
        for _ in range(20):
            build_waiting(1.0)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            expected_starts()
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 8
