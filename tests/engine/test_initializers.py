"""Initial weights have the variance that their name promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nnlab.engine.config import ACTIVATIONS, INITIALIZERS
from nnlab.engine.initializers import initial_weights, resolved
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
