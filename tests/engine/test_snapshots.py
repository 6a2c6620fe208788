"""Snapshots: what they tell of weights and outputs, and when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnlab.engine import snapshots
from nnlab.engine.activity import Looks
from nnlab.engine.config import TrainingConfig
from nnlab.engine.device.population import DevicePopulation
from nnlab.engine.population import Population
from nnlab.engine.records import Ending, Histogram, Records, Snapshot
from nnlab.engine.snapshots import Camera, histogram
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem, build_trainer
from tests.engine.device_backends import build_backend, on_every_backend
from tests.engine.device_backends import collect as collect_all

SMALL = TrainingConfig(hidden_units=(6, 5), dropout=0.2, batch_size=16, epochs=30)


def taken(records: Records) -> dict[int, Snapshot]:
    return {found.step: found.snapshot for found in records.evaluations if found.snapshot is not None}


def assert_histograms_equal(one: Histogram, other: Histogram) -> None:
    assert (one.low, one.high, one.zeros, one.broken) == (other.low, other.high, other.zeros, other.broken)
    np.testing.assert_array_equal(one.counts, other.counts)


def assert_snapshots_equal(one: dict[int, Snapshot], other: dict[int, Snapshot]) -> None:
    assert list(one) == list(other)
    for step, found in one.items():
        np.testing.assert_array_equal(found.parameters, other[step].parameters)
        for mine, theirs in zip(found.active, other[step].active, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        pairs = zip(found.weights + found.outputs, other[step].weights + other[step].outputs, strict=True)
        for some, others in pairs:
            assert_histograms_equal(some, others)


@given(st.lists(st.floats(width=32), max_size=60))
def test_a_histogram_counts_every_value_once(values: list[float]) -> None:
    array = np.array(values, np.float32)
    found = histogram(array)
    assert found.counts.sum() + found.zeros + found.broken == array.size
    assert found.zeros == (array == 0.0).sum()
    assert found.broken == (~np.isfinite(array)).sum()
    rest = array[np.isfinite(array) & (array != 0.0)]
    if rest.size:
        assert (found.low, found.high) == (rest.min(), rest.max())
        assert found.counts[[0, -1]].all()  # both ends hold a value


def test_its_bins_are_those_of_numpy() -> None:
    values = np.random.default_rng(3).standard_normal(5_000)
    expected, edges = np.histogram(values, snapshots.BINS)
    found = histogram(values)
    assert np.abs(found.counts - expected).sum() <= 2  # a value on an edge, to rounding
    assert (found.low, found.high) == (edges[0], edges[-1])


def test_a_snapshot_tells_of_the_network_as_it_is() -> None:
    problem = build_problem("binary", rows=300)
    trainer = build_trainer(problem, hidden_units=(7, 4), batch_size=12)
    trainer.run_chunk(20)
    trainer.network.layers[0].bias[2] = -50.0  # a unit that is off for every row
    found = Camera(trainer.network, problem).take()
    assert found.rows == snapshots.ROWS
    assert found.parameters is not None
    np.testing.assert_array_equal(found.parameters, trainer.network.parameters)
    assert found.active[0][2] == 0
    assert found.active[0].max() > 0
    rows = np.linspace(0, 299, snapshots.ROWS).round().astype(int)
    layer = trainer.network.layers[0]
    z = problem.x_val[rows] @ layer.weight + layer.bias
    outputs: NDArray[np.float32] = np.maximum(z, 0.0)
    np.testing.assert_array_equal(found.active[0], (outputs > 0).sum(axis=0))
    assert found.outputs[0].zeros == (outputs == 0.0).sum()
    assert found.outputs[0].high == pytest.approx(outputs.max(), rel=1e-6)
    assert [one.counts.sum() + one.zeros for one in found.weights] == [21, 28, 4]


@pytest.mark.usefixtures("tier")
def test_snapshots_come_often_at_first_and_rarely_later_and_at_the_end() -> None:
    problem = build_problem("binary", rows=64)
    found = taken(joined(list(train(SMALL, problem))))
    assert list(found) == [0, 4, 12, 32, 84, 120]
    first, last = found[0].parameters, found[120].parameters
    assert first is not None
    assert last is not None
    assert not np.array_equal(first, last)  # a copy, not a view of what trains on


@given(st.integers(1, 5_000), st.integers(1, 300), st.integers(1, 300))
def test_a_snapshot_comes_with_a_rank(steps: int, steps_per_epoch: int, validate_every: int) -> None:
    looks = Looks(steps, steps_per_epoch, validate_every, 1e6)
    evaluated = [*range(0, steps, validate_every), steps]
    found = [step for step in evaluated if looks.takes_snapshot(step)]
    assert all(looks.takes_rank(step) and looks.is_due(step) for step in found)
    assert found[0] == 0
    assert found[-1] == steps
    assert len(found) <= 11


@pytest.mark.usefixtures("tier")
def test_a_run_that_stops_early_shows_the_network_that_it_gives_back() -> None:
    problem = build_problem("binary", rows=64)
    config = TrainingConfig(
        hidden_units=(6,), batch_size=16, steps=900, learning_rate=0.2, early_stopping_epochs=1
    )
    training = train(config, problem)
    records = joined(list(training))
    assert records.ended is Ending.EARLY_STOP
    last = records.evaluations[-1]
    assert last.restored_step is not None
    assert last.snapshot is not None
    np.testing.assert_array_equal(last.snapshot.parameters, training.trainer.network.parameters)


@pytest.mark.usefixtures("tier")
def test_a_member_and_a_resumed_run_show_what_a_run_alone_shows() -> None:
    problem = build_problem("binary", rows=64)
    configs = [SMALL, TrainingConfig(**{**SMALL.to_dict(), "seed": 4, "learning_rate": 0.01})]
    alone = [taken(joined(list(train(config, problem)))) for config in configs]
    members = collect_all(Population(configs, problem))
    for index, expected in enumerate(alone):
        assert_snapshots_equal(taken(members[index]), expected)
    training = train(SMALL, problem)
    seen = [next(training), next(training)]
    resumed = [*seen, *train(SMALL, problem, training.checkpoint())]
    assert_snapshots_equal(taken(joined(resumed)), alone[0])


@on_every_backend
def test_a_device_shows_what_the_reference_shows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_TIER", "numpy")
    problem = build_problem("binary", rows=64)
    stops = TrainingConfig(**{**SMALL.to_dict(), "early_stopping_epochs": 1, "learning_rate": 0.2})
    configs = [SMALL, TrainingConfig(**{**SMALL.to_dict(), "seed": 4}), stops]
    told = collect_all(DevicePopulation(configs, problem, backend=build_backend(name)))
    for index, config in enumerate(configs):
        expected, found = taken(joined(list(train(config, problem)))), taken(told[index])
        assert list(found) == list(expected)
        for step, one in found.items():
            np.testing.assert_allclose(one.parameters, expected[step].parameters, rtol=1e-3, atol=1e-5)  # type: ignore[arg-type]
            assert [len(units) for units in one.active] == [6, 5]


def test_large_networks_are_told_by_their_histograms_alone() -> None:
    problem = build_problem("binary", rows=64)
    trainer = build_trainer(problem, hidden_units=(80, 60), batch_size=16)
    assert trainer.network.parameters.size > snapshots.KEPT_PARAMETERS
    found = Camera(trainer.network, problem).take()
    assert found.parameters is None
    assert found.weights[1].counts.sum() == 4_800
