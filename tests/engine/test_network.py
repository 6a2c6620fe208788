"""The network: its layout, and what layers without non-linearity amount to."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.network import Network, Pass, with_ones
from nnlab.engine.sizes import parameter_count


@pytest.mark.parametrize("hidden_units", [(3,), (8, 8), (4, 4, 4, 4)])
def test_linear_layers_collapse_into_one_matrix(hidden_units: tuple[int, ...]) -> None:
    network = Network(TrainingConfig(hidden_units=hidden_units, activation="linear", dtype="float64"), 5, 2)
    rng = np.random.default_rng(len(hidden_units))
    network.parameters[:] = rng.standard_normal(network.parameters.shape)
    x = rng.standard_normal((20, 5))
    matrix, bias = np.eye(5), np.zeros(5)
    for layer in network.layers:
        matrix, bias = matrix @ layer.weight, bias @ layer.weight + layer.bias
    output = Pass(network, 20, training=True).forward(with_ones(x, "float64").T).T
    np.testing.assert_allclose(output, x @ matrix + bias, rtol=1e-12, atol=1e-12 * np.abs(output).max())


def test_parameters_lie_layer_by_layer_as_weight_bias_slope() -> None:
    config = TrainingConfig(hidden_units=(4, 3), activation=("prelu", "relu"))
    network = Network(config, 2, 1)
    assert network.parameters.size == parameter_count(config, 2, 1)
    network.parameters[:] = np.arange(network.parameters.size)
    first, second, output = network.layers
    np.testing.assert_array_equal(first.weight.ravel(), np.arange(8))
    np.testing.assert_array_equal(first.bias, np.arange(8, 12))
    assert first.slope is not None
    np.testing.assert_array_equal(first.slope.ravel(), np.arange(12, 16))
    np.testing.assert_array_equal(second.affine.ravel(), np.arange(16, 31))
    np.testing.assert_array_equal(output.affine.ravel(), np.arange(31, 35))
    assert network.is_weight.nonzero()[0].tolist() == [*range(8), *range(16, 28), *range(31, 34)]


def test_a_pass_computes_the_formula_of_the_notes() -> None:
    network = Network(TrainingConfig(hidden_units=(4,), activation="relu", dtype="float64", seed=3), 3, 2)
    x = np.random.default_rng(0).standard_normal((7, 3))
    w1, w2 = (layer.weight for layer in network.layers)
    expected = np.maximum(x @ w1, 0.0) @ w2
    output = Pass(network, 7, training=True).forward(with_ones(x, "float64").T)
    np.testing.assert_allclose(output.T, expected, rtol=1e-12)


def test_the_first_layer_that_is_not_finite_is_found() -> None:
    network = Network(TrainingConfig(hidden_units=(4, 4)), 3, 1)
    assert network.first_nonfinite(network.parameters) is None
    network.layers[2].bias[:] = np.inf
    network.layers[1].weight[0, 0] = np.nan
    assert network.first_nonfinite(network.parameters) == 1
