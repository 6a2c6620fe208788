"""What a submission will cost: counted, probed, remembered and learned from past runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from nnlab import versions
from runs import submission
from runs.estimating import expecting
from runs.estimating.estimate import Estimate, estimate, expected_seconds
from runs.estimating.expecting import Basis
from runs.estimating.work import memory_of
from runs.models import Attempt, Outcome, Run, Speed, Status
from runs.submitted.specification import Specification
from tests.runs.submissions import build_submission
from tests.runs.test_workers import build_worker

pytestmark = pytest.mark.django_db


def parse(**changes: Any) -> Specification:
    return submission.parse(build_submission(**changes))


def told(found: Estimate) -> dict[Basis, int]:
    return dict(found.basis)


def finish(run: Run, seconds: float, *, process: str = "host:1", ago: float = 0.0) -> None:
    """Let a run have been trained to its end, in so many seconds."""
    ended = timezone.now() - timedelta(seconds=ago)
    started = ended - timedelta(seconds=seconds)
    Run.objects.filter(pk=run.pk).update(
        status=Status.FINISHED, started_at=started, ended_at=ended, steps_run=F("steps_requested")
    )
    Attempt.objects.create(
        run=run,
        number=1,
        process=process,
        tier="native",
        versions={"engine": versions.engine_code()},
        last_step=run.steps_requested or 0,
        started_at=started,
        ended_at=ended,
        outcome=Outcome.FINISHED,
    )


def test_a_network_of_which_nothing_is_known_is_probed() -> None:
    found = estimate(parse(seeds=3))
    assert told(found) == {Basis.PROBE: 3}
    assert found.work is not None
    assert 0.0 < found.work.low < found.work.seconds < found.work.high
    assert found.source.startswith("from a probe of 0.")
    assert (found.runs, found.steps) == (3, 15)


def test_what_was_probed_is_not_probed_again() -> None:
    spec = parse(grid={"width": [4, 8]})
    first = estimate(spec)
    assert Speed.objects.count() == 2
    again = estimate(spec)
    assert (again.probed_seconds, Speed.objects.count()) == (0.0, 2)
    assert (again.work, again.source) == (first.work, "from an earlier probe on this machine")


def test_a_probe_of_another_version_of_the_engine_says_nothing() -> None:
    spec = parse()
    estimate(spec)
    Speed.objects.update(engine="another")
    assert estimate(spec).probed_seconds > 0.0


def test_probes_end_after_their_time_and_the_other_networks_follow_from_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expecting, "MOST_SECONDS", 0.0)
    found = estimate(parse(grid={"width": [4, 8, 16, 32]}, seeds=2))
    assert told(found) == {Basis.PROBE: 2, Basis.NEAREST: 6}
    assert "from probes of similar networks on this machine for 6 runs" in found.source


def test_a_network_too_large_for_a_probe_is_counted_only() -> None:
    found = estimate(parse(training={"width": 6000, "depth": 2, "batch_size": 120}))
    assert told(found) == {Basis.COUNT: 1}
    assert found.work is not None
    assert found.work.high == 2 * found.work.seconds


def test_past_runs_teach_more_than_a_probe() -> None:
    spec = parse(seeds=2)
    for run in submission.submit(spec, None).runs.all():
        finish(run, 10.0, ago=100.0 * (run.seed or 0))
    found = estimate(spec)
    assert found.source == "measured on 2 past runs"
    assert found.work is not None
    assert found.work.seconds == pytest.approx(20.0)
    assert found.work.low < 20.0 < found.work.high
    assert not Speed.objects.exists()


def test_runs_that_were_trained_together_are_not_taken_for_longer_than_they_were() -> None:
    spec = parse(seeds=8)
    for run in submission.submit(spec, None).runs.all():
        finish(run, 16.0)  # all of them within the same 16 s
    found = estimate(spec)
    assert found.work is not None
    assert found.work.seconds == pytest.approx(16.0, rel=0.01)


def test_a_run_alone_learns_nothing_from_those_that_were_trained_together() -> None:
    for run in submission.submit(parse(seeds=8), None).runs.all():
        finish(run, 16.0)
    assert told(estimate(parse())) == {Basis.PROBE: 1}


def test_much_longer_runs_learn_nothing_from_short_ones() -> None:
    for run in submission.submit(parse(), None).runs.all():
        finish(run, 10.0)
    assert told(estimate(parse(training={"steps": 500}))) == {Basis.PROBE: 1}


def test_a_queue_of_gpus_is_told_from_past_runs_alone() -> None:
    spec = parse(job={"queue": "gpu"})
    unknown = estimate(spec)
    assert (unknown.work, unknown.wall, told(unknown)) == (None, None, {})
    assert "Nothing like it was trained on a GPU here yet" in unknown.problem
    for run in submission.submit(spec, None).runs.all():
        finish(run, 3.0)
    assert estimate(spec).work is None
    Attempt.objects.update(tier="cupy")
    known = estimate(spec)
    assert known.work is not None
    assert known.work.seconds == pytest.approx(3.0)


def test_the_processes_that_are_there_share_the_work_and_the_queue_comes_first() -> None:
    alone = estimate(parse(seeds=4))
    assert (alone.processes, alone.wall, alone.ahead) == (0, None, None)
    build_worker(concurrency=2, cores=8)
    submission.submit(parse(name="before", seeds=2), None)
    Run.objects.update(expected_seconds=30.0)
    found = estimate(parse(seeds=4))
    assert found.work is not None
    assert found.wall is not None
    assert (found.processes, found.waiting) == (2, 2)
    assert found.wall.seconds == pytest.approx(found.work.seconds / 2)
    assert found.ahead == pytest.approx(30.0)


def test_processes_beyond_the_cores_of_their_host_do_not_count() -> None:
    build_worker(concurrency=16, cores=4)
    assert estimate(parse()).processes == 4


def test_runs_are_stored_with_what_is_expected_of_them_and_nothing_is_probed_for_it() -> None:
    run = submission.submit(parse(), None).runs.get()
    assert not Speed.objects.exists()
    assert run.expected_seconds is not None
    spec = parse(seeds=2)
    assert list(expected_seconds((spec, one) for one in spec.runs).values()) == [run.expected_seconds]


def test_more_parameters_and_rows_need_more_memory() -> None:
    sizes = []
    for width, batch_size in ((8, 8), (800, 8), (800, 100)):
        spec = parse(training={"width": width, "batch_size": batch_size})
        sizes.append(memory_of(spec.runs[0].training, spec.runs[0].parameters, spec.shape))
    assert sizes == sorted(set(sizes))
