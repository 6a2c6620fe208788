"""Initial weights have the variance that their name promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nnlab.engine.config import ACTIVATIONS, INITIALIZERS
from nnlab.engine.initializers import initial_biases, initial_weights, resolved
from tests.engine.builders import build_problem, build_trainer

FAN_IN, FAN_OUT = 200, 120
VARIANCES = {
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "lecun_normal": 1 / FAN_IN,
    "lecun_uniform": 1 / FAN_IN,
    "normal": 0.05**2,
    "uniform": 0.1**2 / 12,
    "playground": 1 / 12,
}


@pytest.mark.parametrize("name", VARIANCES)
def test_weights_have_the_promised_variance(name: str) -> None:
    weights = initial_weights(name, FAN_IN, FAN_OUT, seed=1, layer=0).ravel()
    variance = VARIANCES[name]
    normal = name.endswith("normal")
    # of a sample variance: 2 s^4 / n for normals, 0.8 s^4 / n for uniforms
    error = variance * np.sqrt((2.0 if normal else 0.8) / weights.size)
    assert abs(np.square(weights).mean() - variance) < 4.0 * error
    assert abs(weights.mean()) < 4.0 * np.sqrt(variance / weights.size)
    width = np.sqrt(12.0 * variance)
    expected = stats.norm(0.0, np.sqrt(variance)) if normal else stats.uniform(-width / 2.0, width)
    assert stats.kstest(weights, expected.cdf).pvalue > 1e-3


def test_a_truncated_normal_is_cut_at_two_deviations() -> None:
    weights = initial_weights("truncated_normal", FAN_IN, FAN_OUT, seed=1, layer=0).ravel() / 0.05
    assert np.abs(weights).max() <= 2.0
    assert stats.kstest(weights, stats.truncnorm(-2.0, 2.0).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("name", "value"), [("zeros", 0.0), ("ones", 1.0), ("constant", 0.05)])
def test_constant_weights_are_all_the_same(name: str, value: float) -> None:
    weights = initial_weights(name, 3, 2, seed=1, layer=0)
    np.testing.assert_array_equal(weights, np.full((3, 2), value))


def test_every_initializer_is_covered() -> None:
    assert {*VARIANCES, "auto", "truncated_normal", "zeros", "ones", "constant"} == set(INITIALIZERS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_auto_follows_the_activation(activation: str) -> None:
    expected = "glorot_normal" if activation in ("linear", "sigmoid", "tanh", "exponential") else "he_normal"
    assert resolved("auto", activation) == expected


def test_biases_start_at_0_or_as_in_the_playground_and_slopes_at_a_quarter() -> None:
    problem = build_problem()
    network = build_trainer(problem, hidden_units=(4,), activation="prelu").network
    assert network.layers[0].slope is not None
    np.testing.assert_array_equal(network.layers[0].slope, 0.25)
    np.testing.assert_array_equal(network.layers[0].bias, 0.0)
    playground = build_trainer(problem, hidden_units=(4,), initializer="playground").network
    np.testing.assert_array_equal(playground.layers[1].bias, np.float32(0.1))
    assert not build_trainer(problem, initializer="zeros").network.parameters.any()


def test_layers_and_seeds_draw_different_weights() -> None:
    first = initial_weights("he_normal", 3, 3, seed=0, layer=0)
    assert not np.isin(first, initial_weights("he_normal", 3, 3, seed=0, layer=1)).any()
    assert not np.isin(first, initial_weights("he_normal", 3, 3, seed=1, layer=0)).any()


def test_each_layer_is_drawn_by_its_own_initializer() -> None:
    names = ("he_uniform", "auto", "zeros")
    trainer = build_trainer(build_problem(), hidden_units=(5, 4), activation="tanh", initializer=names)
    for index, name in enumerate(("he_uniform", "glorot_normal", "zeros")):
        weight = trainer.network.layers[index].weight
        expected = initial_weights(name, *weight.shape, seed=0, layer=index)
        np.testing.assert_array_equal(weight, expected.astype(np.float32))


def test_biases_are_drawn_as_weights_from_one_input() -> None:
    names = ("auto", "lecun_uniform", "glorot_normal")
    trainer = build_trainer(build_problem(), hidden_units=(3, 4000), bias_initializer=names)
    first, second, last = (layer.bias for layer in trainer.network.layers)
    assert (first == 0.0).all()
    assert stats.kstest(second, stats.uniform(-np.sqrt(3.0), 2.0 * np.sqrt(3.0)).cdf).pvalue > 1e-3
    expected = initial_biases("glorot_normal", "he_normal", 2, seed=0, layer=2)
    np.testing.assert_array_equal(last, expected.astype(np.float32))
    wide = initial_biases("glorot_normal", "he_normal", 4000, seed=0, layer=2)
    assert wide.std() == pytest.approx(np.sqrt(2.0 / 4001.0), rel=0.05)


def test_biases_share_no_numbers_with_weights() -> None:
    weights = initial_weights("normal", 1, 50, seed=3, layer=1)[0]
    assert not np.isin(initial_biases("normal", "zeros", 50, seed=3, layer=1), weights).any()


@pytest.mark.parametrize(("wanted", "expected"), [("auto", 0.1), ("zeros", 0.0), ("ones", 1.0)])
def test_the_playground_has_its_biases_unless_others_are_asked_for(wanted: str, expected: float) -> None:
    config = {"initializer": "playground", "bias_initializer": wanted}
    trainer = build_trainer(build_problem(), hidden_units=(3,), **config)
    for layer in trainer.network.layers:
        np.testing.assert_array_equal(layer.bias, np.float32(expected))
