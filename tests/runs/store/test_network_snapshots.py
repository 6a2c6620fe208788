"""Snapshots of networks: recorded with a run, read back, and gone with what is trained anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.records import Histogram, Records, Snapshot
from nnlab.engine.training import describe, train
from runs import retention
from runs.models import NetworkSnapshot, Run
from runs.store.network_snapshots import read, write
from runs.training.recording import Recorder, RunTakenError
from tests.runs.builders import build_finished_run, build_run, build_running_run
from tests.runs.test_recording import OTHER, TOKEN, run_engine

pytestmark = pytest.mark.django_db


def told(all_records: list[Records]) -> dict[int, Snapshot]:
    return {
        one.step: one.snapshot
        for records in all_records
        for one in records.evaluations
        if one.snapshot is not None
    }


def assert_alike(found: Snapshot, expected: Snapshot) -> None:
    for one, other in zip(found.weights + found.outputs, expected.weights + expected.outputs, strict=True):
        assert replace(one, counts=None) == replace(other, counts=None)  # type: ignore[arg-type]
        np.testing.assert_array_equal(one.counts, other.counts)
    for mine, theirs in zip(found.active, expected.active, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert found.rows == expected.rows
    assert found.parameters is not None
    assert expected.parameters is not None
    largest = np.abs(expected.parameters).max()
    np.testing.assert_allclose(found.parameters, expected.parameters, rtol=0, atol=0.51 * largest / 32_767)


def test_what_the_engine_saw_is_read_back() -> None:
    run = build_running_run(token=TOKEN)
    info, all_records = run_engine()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    for records in all_records:
        recorder.record(records, [])
        recorder.flush()
    expected, found = told(all_records), read(run.pk)
    assert [kept.step for kept in found] == list(expected)
    assert len(found) >= 4
    for kept in found:
        assert_alike(kept.snapshot, expected[kept.step])


def test_an_attempt_that_goes_on_leaves_the_earlier_ones_and_one_that_begins_anew_none() -> None:
    run = build_running_run(token=TOKEN)
    info, all_records = run_engine()
    write(run.pk, told(all_records).items())
    steps = [kept.step for kept in read(run.pk)]
    Recorder(run.pk, TOKEN, info).start("", after=steps[2])
    assert [kept.step for kept in read(run.pk)] == steps[:3]
    Recorder(run.pk, TOKEN, info).start("")
    assert read(run.pk) == []


def test_nothing_is_written_of_a_run_that_is_not_ours() -> None:
    run = build_running_run(token=TOKEN)
    info, all_records = run_engine()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    for records in all_records:
        recorder.record(records, [])
    Run.objects.filter(pk=run.pk).update(token=OTHER)
    with pytest.raises(RunTakenError):
        recorder.flush()
    assert not NetworkSnapshot.objects.exists()


def test_numbers_that_are_not_finite_are_kept_as_what_they_are_where_that_matters() -> None:
    run = build_run()
    odd = Histogram(-1e30, 3e38, np.array([1, 2]), 4, 5)
    parameters = np.array([np.nan, np.inf, -2.0, 0.5], np.float32)
    write(run.pk, [(7, Snapshot((odd,), (), (), 64, parameters))])
    (kept,) = read(run.pk)
    (found,) = kept.snapshot.weights
    assert (found.low, found.high, found.zeros, found.broken) == (odd.low, odd.high, 4, 5)
    assert kept.snapshot.parameters == pytest.approx([0.0, 0.0, -2.0, 0.5], abs=1e-4)


def test_a_large_network_takes_little_room() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 30)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    problem = Problem("binary", x[:100], y[:100], x[100:], y[100:], 1)
    config = TrainingConfig(hidden_units=(128, 128), batch_size=20, epochs=1)
    run = build_run()
    write(run.pk, told(list(train(config, problem))).items())
    assert describe(config, problem).parameters > 20_000
    assert all(len(row.data) < 2_000 for row in NetworkSnapshot.objects.all())


def test_a_purge_takes_them_along() -> None:
    run = build_finished_run()
    write(run.pk, told(run_engine()[1]).items())
    assert NetworkSnapshot.objects.exists()
    retention.discard(Run.objects.filter(pk=run.pk))
    retention.begin_purge(Run.objects.in_trash())
    retention.purge(60)
    assert not NetworkSnapshot.objects.exists()
