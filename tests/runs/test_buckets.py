"""Claims: which runs a worker takes at once, and which it leaves to others."""

from __future__ import annotations

from typing import Any

import pytest

from runs import lifecycle, queue, submission
from runs.models import Project, Queue, Run, Status, Sweep
from runs.training import buckets
from tests.runs.builders import build_run, build_running_run, build_sweep
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db

WORKER = "host-1:42"


@pytest.fixture
def sweep() -> Sweep:
    return build_sweep()


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Say how many processes take runs, instead of asking a broker; the last number counts."""
    numbers = [1]
    monkeypatch.setattr(queue, "live_workers", lambda _: numbers[-1])
    return numbers


def build_runs(sweep: Sweep, count: int, **fields: Any) -> list[int]:
    return [build_run(sweep, **fields).pk for _ in range(count)]


def claimed() -> list[int]:
    return list(buckets.claim_next("cpu", WORKER))


def test_runs_of_one_shape_are_claimed_together_in_the_order_of_the_queue(sweep: Sweep) -> None:
    first, second, third, fourth = build_runs(sweep, 4)
    lifecycle.move(third, before=first)
    assert claimed() == [third, first, second, fourth]


def test_the_highest_priority_is_taken_first_and_has_no_company_of_a_lower_one(sweep: Sweep) -> None:
    early, urgent, late, urgent_too = build_runs(sweep, 4)
    lifecycle.prioritise(Run.objects.filter(pk__in=[urgent, urgent_too]), 5)
    assert claimed() == [urgent, urgent_too]
    assert claimed() == [early, late]


@pytest.mark.parametrize("field", ["time_limit", "memory_limit_mb"])
def test_members_share_their_limits(sweep: Sweep, field: str) -> None:
    limit: dict[str, Any] = {field: 60}
    free, limited = build_run(sweep), build_run(sweep, **limit)
    assert claimed() == [free.pk]
    assert claimed() == [limited.pk]


def test_a_worker_takes_the_runs_of_its_own_queue(sweep: Sweep) -> None:
    build_run(sweep, queue=Queue.GPU)
    own = build_run(sweep)
    assert claimed() == [own.pk]
    assert claimed() == []


def test_a_paused_run_is_left_where_it_is(sweep: Sweep) -> None:
    paused, other = build_runs(sweep, 2)
    lifecycle.pause(paused)
    assert claimed() == [other]
    lifecycle.resume(paused)
    assert claimed() == [paused]


def test_each_claimed_run_has_a_token_and_an_attempt_of_its_own(sweep: Sweep) -> None:
    build_runs(sweep, 3)
    tokens = buckets.claim_next("cpu", WORKER)
    assert len(set(tokens.values())) == 3
    for run in Run.objects.all():
        assert (run.status, run.token, run.attempt) == (Status.RUNNING, tokens[run.pk], 1)
        assert run.worker == WORKER


def test_members_may_differ_in_seed_rates_and_length(sweep: Sweep) -> None:
    settings: list[dict[str, Any]] = [
        {"learning_rate": 0.1, "l2": 0.01},
        {"seed": 7, "dropout": 0.0},
        {"steps": 50, "initializer": "zeros"},
    ]
    run_ids = [build_run(sweep, training=training).pk for training in settings]
    assert claimed() == run_ids


@pytest.mark.parametrize(
    "training",
    [{"hidden_units": (16, 8)}, {"activation": "tanh"}, {"optimizer": "sgd"}, {"batch_size": 16}],
    ids=str,
)
def test_another_shape_is_another_bucket(sweep: Sweep, training: dict[str, Any]) -> None:
    run, other = build_run(sweep), build_run(sweep, training=training)
    assert claimed() == [run.pk]
    assert Run.objects.get(pk=other.pk).status == Status.QUEUED


def test_another_sweep_is_another_bucket_even_in_the_same_project(sweep: Sweep) -> None:
    run, other = build_run(sweep), build_run(build_sweep(sweep.project))
    assert run.shape_key == other.shape_key
    assert claimed() == [run.pk]


def test_runs_whose_shape_nobody_noted_train_alone(sweep: Sweep) -> None:
    first, _ = build_runs(sweep, 2, shape_key="")
    assert claimed() == [first]


def test_a_run_that_lost_its_worker_trains_alone_from_then_on(sweep: Sweep) -> None:
    first, lost, last = build_run(sweep), build_run(sweep, attempt=1), build_run(sweep)
    assert claimed() == [first.pk, last.pk]
    build_runs(sweep, 2)
    assert claimed() == [lost.pk]


def test_a_run_that_was_given_back_by_a_stopped_worker_may_have_company_again(sweep: Sweep) -> None:
    run_ids = build_runs(sweep, 3)
    assert claimed() == run_ids
    assert lifecycle.release("host-1", orderly=True) == 3
    assert claimed() == run_ids


def test_only_queued_runs_are_claimed(sweep: Sweep) -> None:
    first, second, third = build_runs(sweep, 3)
    lifecycle.cancel(second)
    build_running_run(sweep)
    assert claimed() == [first, third]
    assert claimed() == []


@pytest.mark.parametrize(("live", "sizes"), [(1, [8]), (2, [4, 2, 1, 1]), (3, [3, 2, 1, 1, 1]), (9, [1] * 8)])
def test_a_worker_takes_its_share_of_what_waits(
    sweep: Sweep, workers: list[int], live: int, sizes: list[int]
) -> None:
    workers.append(live)
    build_runs(sweep, 8)
    found: list[int] = []
    while together := claimed():
        found.append(len(together))
    assert found == sizes


def test_a_bucket_is_not_split_where_the_other_workers_have_enough_to_do(
    sweep: Sweep, workers: list[int]
) -> None:
    workers.append(2)
    run_ids = build_runs(sweep, 4)
    build_runs(sweep, 4, training={"activation": "tanh"})
    assert claimed() == run_ids


def test_nobody_is_asked_for_the_workers_where_a_run_waits_alone(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(queue, "live_workers")
    (run_id,) = build_runs(sweep, 1)
    assert claimed() == [run_id]


def test_a_population_has_at_most_so_many_members(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MAX_MEMBERS", 3)
    run_ids = build_runs(sweep, 5)
    assert claimed() == run_ids[:3]


@pytest.mark.parametrize(
    ("limit", "value"),
    [("MAX_STEP_SECONDS", 1e-6), ("MAX_SECONDS", 1e-6), ("MAX_BYTES", 10_000)],
)
def test_a_network_that_is_large_for_a_population_trains_alone(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    monkeypatch.setattr(buckets, limit, value)
    run_ids = build_runs(sweep, 3)
    assert claimed() == run_ids[:1]


@pytest.mark.parametrize(
    ("parameters", "batch", "steps", "members"),
    [
        (17, 10, 10_000, 128),  # a playground network
        (7_071, 100, 10_000, 128),  # 100, 50 and 20 units on nine inputs
        (109_386, 32, 1_000, 121),  # two megabytes each
        (7_071, 100, 1_000_000, 1),  # four minutes of work
        (235_146, 128, 1_000, 1),  # ten milliseconds a step
    ],
)
def test_populations_are_bound_by_memory_and_work(
    sweep: Sweep, parameters: int, batch: int, steps: int, members: int
) -> None:
    run = build_run(sweep, training={"batch_size": batch}, parameters=parameters, steps_requested=steps)
    assert buckets._most_members(run, steps) == members


def test_the_longest_run_that_waits_counts(sweep: Sweep) -> None:
    short, _ = build_run(sweep), build_run(sweep, steps_requested=10**9)
    assert claimed() == [short.pk]


def test_a_submitted_run_knows_its_shape() -> None:
    mapping = build_submission(seeds=2, grid={"activation": ["relu", "tanh"], "learning_rate": [0.1, 0.2]})
    submission.submit(submission.parse(mapping), None)
    shapes = Run.objects.order_by("activation").values_list("activation", "shape_key").distinct()
    assert [activation for activation, _ in shapes] == ["relu", "tanh"]
    assert all(len(key) == 16 for _, key in shapes)
    assert Project.objects.count() == 1
