"""Probes: each reading against its formula, and the steps that are sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlab.engine.network import Pass
from nnlab.engine.probes import FIRST_STEPS, PERIOD
from nnlab.engine.records import Evaluation, Sample
from tests.engine.builders import build_problem, build_trainer, run

ROWS = 64
NET: dict[str, Any] = {"hidden_units": (6, 5), "batch_size": ROWS, "dtype": "float64", "shuffle": False}


def first_sample(**config: Any) -> tuple[Sample, Pass, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give the sample of step 1, the pass it was read from, and the parameters before and after the step."""
    trainer = build_trainer(build_problem("multiclass", rows=ROWS), **{**NET, **config})
    before = trainer.network.parameters.copy()
    sample = trainer.run_chunk(1).samples[0]
    after = trainer.network.parameters.copy()
    trainer.network.parameters[:] = before
    passed = trainer._pass
    trainer.head.loss_and_gradient(passed.forward(trainer._x.T), trainer._targets, passed.d)
    passed.backward()
    return sample, passed, before, after


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "relu6", "elu"])
@pytest.mark.parametrize("clip_norm", [None, 1e-3])
def test_a_sample_reads_what_its_formulas_say(activation: str, clip_norm: float | None) -> None:
    sample, passed, before, after = first_sample(activation=activation, clip_norm=clip_norm)
    network = passed.network
    assert (sample.step, sample.rows) == (1, ROWS)
    for index, layer in enumerate(network.layers):
        rms = np.sqrt(np.square(layer.weight_gradient).mean())
        assert sample.gradient_rms[index] == pytest.approx(rms, rel=1e-9)
        assert sample.delta_rms[index] == pytest.approx(
            np.sqrt(np.square(passed.deltas()[index]).mean()), rel=1e-9
        )
        weight = np.linalg.norm(before[layer.weights])
        assert sample.weight_norm[index] == pytest.approx(weight, rel=1e-9)
        update = np.linalg.norm((after - before)[layer.weights])
        assert sample.update_ratio[index] == pytest.approx(update / weight, rel=1e-9)
    for index, trace in enumerate(passed.traces):
        spread = np.sqrt(trace.a.var(axis=1).mean() / np.square(trace.a).mean())
        assert sample.spread[index] == pytest.approx(spread, rel=1e-9)
        assert sample.zero_share[index] == pytest.approx((trace.a == 0.0).mean(), abs=1e-12)
        np.testing.assert_array_equal(sample.active_counts[index], (trace.a > 0.0).sum(axis=1))


def test_saturated_units_are_counted_over_rows() -> None:
    trainer = build_trainer(build_problem("multiclass", rows=ROWS), activation="tanh", **NET)
    trainer.network.layers[0].bias[:2] = 50.0
    sample = trainer.run_chunk(1).samples[0]
    assert sample.saturated_share[0] == pytest.approx(2 / 6)
    assert sample.saturated_share[2] == 0.0


def test_a_saturated_tanh_output_is_seen() -> None:
    problem = build_problem("binary", rows=ROWS)
    trainer = build_trainer(problem, loss="half_mse", output_activation="tanh", **NET)
    trainer.network.layers[-1].bias[:] = -50.0
    assert trainer.run_chunk(1).samples[0].saturated_share[-1] == 1.0


def test_an_update_of_zero_weights_has_no_ratio() -> None:
    sample = first_sample(initializer="zeros")[0]
    assert np.isnan(sample.update_ratio).all()
    assert np.isnan(sample.spread).all()
    assert (sample.zero_share == 1.0).all()


def test_tiny_deltas_do_not_underflow() -> None:
    config: dict[str, Any] = {**NET, "dtype": "float32", "activation": "sigmoid", "hidden_units": (4,) * 12}
    trainer = build_trainer(build_problem("multiclass", rows=ROWS), **config)
    for layer in trainer.network.layers[1:]:
        layer.weight *= np.float32(1e-2)
    sample = trainer.run_chunk(1).samples[0]
    assert 0.0 < sample.delta_rms[0] < 1e-25


@pytest.mark.usefixtures("tier")
def test_sampled_steps_are_fixed() -> None:
    records = run(build_problem(rows=ROWS), batch_size=32, steps=200)
    expected = [*FIRST_STEPS, 34 + PERIOD, 34 + 2 * PERIOD, 34 + 3 * PERIOD]
    assert [sample.step for sample in records.samples] == expected
    assert {sample.rows for sample in records.samples} == {32}


@pytest.mark.usefixtures("tier")
def test_long_runs_are_sampled_less_often_later() -> None:
    late = [sample.step for sample in run(build_problem(rows=ROWS), steps=2000).samples if sample.step > 900]
    assert late == [934, 984, 1000, 1250, 1562, 1952]


@pytest.mark.usefixtures("tier")
def test_wide_networks_are_sampled_every_200_steps_at_last() -> None:
    problem = build_problem(rows=200)
    config: dict[str, Any] = {"hidden_units": (200, 200), "batch_size": 200, "steps": 1400}
    late = [sample.step for sample in run(problem, **config).samples if sample.step >= 1000]
    assert late == [1000, 1200, 1400]


@pytest.mark.usefixtures("tier")
def test_small_batches_are_sampled_in_bursts_of_32_rows() -> None:
    records = run(build_problem(rows=ROWS), batch_size=10, steps=500)
    # Bursts of 4 start at 1, 5, 13, 21, 34 (8 lies in the one from 5), then each 200; told at their end.
    assert [sample.step for sample in records.samples] == [4, 8, 16, 24, 37, 237, 437]
    assert {sample.rows for sample in records.samples} == {40}


@pytest.mark.usefixtures("tier")
def test_a_burst_of_single_rows_has_a_spread_between_rows() -> None:
    records = run(build_problem(rows=ROWS), batch_size=1, steps=40)
    assert records.samples[0].rows == 32
    assert records.samples[0].spread[0] > 0.1


def test_gradient_norms_are_taken_at_first_steps_then_one_in_16_or_at_all_where_they_cost_nothing(
    tier: str,
) -> None:
    records = run(build_problem(rows=ROWS), steps=100)
    taken = (np.flatnonzero(~np.isnan(records.gradient_norms)) + 1).tolist()
    expected = {"numpy": [*range(1, 35), 48, 64, 80, 96], "native": [*range(1, 101)]}
    assert taken == expected[tier]


def test_the_gradient_norm_is_that_of_all_gradients_before_clipping() -> None:
    trainer = build_trainer(build_problem("multiclass", rows=ROWS), clip_norm=1e-4, optimizer="sgd", **NET)
    size = trainer.run_chunk(1).gradient_norms[0]
    passed = first_sample(optimizer="sgd")[1]
    assert size == pytest.approx(np.linalg.norm(passed.network.gradients), rel=1e-9)


def test_dead_units_are_told_by_the_evaluation() -> None:
    trainer = build_trainer(build_problem(rows=ROWS), hidden_units=(5, 4), activation=("relu", "tanh"))
    trainer.network.layers[0].bias[:2] = -100.0
    found = trainer.evaluate()
    assert isinstance(found, Evaluation)
    np.testing.assert_allclose(found.dead_share, [0.4, np.nan])
    assert found.zero_share[0] >= 0.4
    assert np.isnan(found.zero_share[1])
