"""Clipping and penalties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.engine.penalties import Clip, norm
from tests.engine.builders import build_problem, build_trainer

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(values=st.lists(NUMBERS, min_size=1), bound=st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_clipping_bounds_the_norm_and_keeps_the_direction(values: list[float], bound: float) -> None:
    gradient = np.array(values)
    before = gradient.copy()
    Clip([], norm=bound).apply(gradient)
    size = float(np.linalg.norm(before))
    if size <= bound:
        np.testing.assert_array_equal(gradient, before)
    else:
        assert np.linalg.norm(gradient) == pytest.approx(bound, rel=1e-12)
        np.testing.assert_allclose(gradient, before * (bound / size), rtol=1e-12)


@given(values=st.lists(NUMBERS, min_size=1), bound=st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_clipping_by_value_bounds_every_entry(values: list[float], bound: float) -> None:
    gradient = np.array(values)
    before = gradient.copy()
    Clip([], value=bound).apply(gradient)
    assert np.abs(gradient).max() <= bound
    inside = np.abs(before) <= bound
    np.testing.assert_array_equal(gradient[inside], before[inside])


@given(values=st.lists(NUMBERS, min_size=4), bound=st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_clipping_by_layer_bounds_each_layer_and_keeps_its_direction(
    values: list[float], bound: float
) -> None:
    gradient = np.array(values)
    before = gradient.copy()
    layers = [slice(0, 2), slice(2, len(values))]
    Clip(layers, layer_norm=bound).apply(gradient)
    for layer in layers:
        size = float(np.linalg.norm(before[layer]))
        scale = bound / size if size > bound else 1.0
        np.testing.assert_allclose(gradient[layer], before[layer] * scale, rtol=1e-12)


def test_a_run_clips_each_layer_with_its_bias() -> None:
    values = {"hidden_units": (4,), "optimizer": "sgd", "learning_rate": 1.0, "dtype": "float64"}
    trainer = build_trainer(build_problem("regression"), clip_layer_norm=1e-3, **values)
    before = trainer.network.parameters.copy()
    trainer.run_chunk(1)
    change = before - trainer.network.parameters
    for layer in trainer.network.layers:
        assert np.linalg.norm(change[layer.parameters]) == pytest.approx(1e-3, rel=1e-9)


def test_max_norm_bounds_the_incoming_weights_of_every_unit() -> None:
    problem = build_problem("regression")
    values = {"hidden_units": (8,), "optimizer": "sgd", "learning_rate": 0.1, "dtype": "float64"}
    free, bounded = build_trainer(problem, **values), build_trainer(problem, max_norm=1.2, **values)
    free.run_chunk(1)
    bounded.run_chunk(1)
    scaled = 0
    for wild, tame in zip(free.network.layers, bounded.network.layers, strict=True):
        sizes = np.linalg.norm(wild.weight, axis=0)
        expected = wild.weight * np.minimum(1.0, 1.2 / sizes)
        np.testing.assert_allclose(tame.weight, expected, rtol=1e-12)
        np.testing.assert_array_equal(tame.bias, wild.bias)
        scaled += int((sizes > 1.2).sum())
    assert 0 < scaled < 10


def test_clipping_keeps_nan_visible() -> None:
    gradient = np.array([np.nan, 1.0])
    Clip([slice(0, 1)], value=0.5, layer_norm=0.5, norm=0.5).apply(gradient)
    assert np.isnan(gradient).any()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_norms_neither_underflow_nor_overflow(scale: float) -> None:
    assert norm(np.array([3.0, 4.0], np.float32) * np.float32(scale)) == pytest.approx(5.0 * scale, rel=1e-6)
    assert norm(np.zeros(3)) == 0.0
    assert np.isnan(norm(np.array([np.nan, 1.0])))


def test_l2_moves_weights_by_their_own_size_and_biases_not_at_all() -> None:
    problem = build_problem("regression")
    values = {"hidden_units": (4,), "activation": "prelu", "optimizer": "sgd", "learning_rate": 0.1}
    plain = build_trainer(problem, dtype="float64", **values)
    decayed = build_trainer(problem, dtype="float64", l2=0.3, **values)
    before = plain.network.parameters.copy()
    plain.run_chunk(1)
    decayed.run_chunk(1)
    weights = plain.network.is_weight
    assert weights.sum() == 3 * 4 + 4 * 2
    difference = decayed.network.parameters - plain.network.parameters
    np.testing.assert_allclose(difference[weights], -0.1 * 0.3 * before[weights], atol=1e-15)
    np.testing.assert_array_equal(difference[~weights], 0.0)


def test_the_raw_gradient_is_clipped_before_l2_is_added() -> None:
    problem = build_problem("regression")
    values = {"hidden_units": (4,), "optimizer": "sgd", "learning_rate": 0.1, "dtype": "float64"}
    trainer = build_trainer(problem, clip_norm=1e-3, l2=10.0, **values)
    network = trainer.network
    before = network.parameters.copy()
    trainer.run_chunk(1)
    raw_part = (before - network.parameters) / 0.1 - 10.0 * before * network.is_weight
    assert np.linalg.norm(raw_part) == pytest.approx(1e-3, rel=1e-9)


def test_l1_sets_a_weight_that_would_cross_0_to_0_for_good() -> None:
    problem = build_problem("regression")
    values = {"hidden_units": (8,), "optimizer": "sgd", "learning_rate": 0.03, "initializer": "playground"}
    trainer = build_trainer(problem, l1=0.03, **values)
    network = trainer.network
    zeros = np.zeros(network.parameters.shape, np.bool_)
    for _ in range(200):
        trainer.run_chunk(1)
        assert not network.parameters[zeros].any()
        zeros |= (network.parameters == 0.0) & network.is_weight
    assert 0 < zeros.sum() < network.is_weight.sum()
    assert network.parameters[~network.is_weight].all()


def test_l1_pulls_by_rate_times_amount() -> None:
    problem = build_problem("regression")
    values = {"hidden_units": (4,), "learning_rate": 0.01, "dtype": "float64"}
    plain, pulled = build_trainer(problem, **values), build_trainer(problem, l1=0.001, **values)
    before = plain.network.parameters.copy()
    plain.run_chunk(1)
    pulled.run_chunk(1)
    difference = pulled.network.parameters - plain.network.parameters
    np.testing.assert_allclose(difference, -1e-5 * np.sign(before) * plain.network.is_weight, atol=1e-15)
