"""Batch normalisation: batch statistics in training, running ones in evaluation, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.network import Network, Pass, with_ones
from nnlab.engine.records import Ending, NonFinite
from tests.engine.builders import build_problem, build_trainer, run

NET: dict[str, Any] = {"hidden_units": (5, 4), "batch_norm": True, "dtype": "float64", "batch_size": 16}


def build_network(seed: int = 0, **config: Any) -> Network:
    network = Network(TrainingConfig(**{**NET, **config}), 3, 2)
    network.parameters[:] = np.random.default_rng(seed).standard_normal(network.parameters.shape)
    return network


def formula(network: Network, x: Any, statistics: Any) -> Any:
    """Compute the output as the paper writes it, rows first, with statistics for each hidden layer."""
    for index, layer in enumerate(network.layers[:-1]):
        z = x @ layer.weight + layer.bias
        mean, variance = statistics(index, z)
        assert layer.normalised is not None
        gamma, beta = layer.normalised.gamma.ravel(), layer.normalised.beta.ravel()
        x = np.maximum(gamma * (z - mean) / np.sqrt(variance + 1e-5) + beta, 0.0)
    return x @ network.layers[-1].weight + network.layers[-1].bias


def test_training_normalises_by_the_batch() -> None:
    network = build_network()
    x = np.random.default_rng(1).standard_normal((16, 3))
    output = Pass(network, 16, training=True).forward(with_ones(x, "float64").T)
    expected = formula(network, x, lambda _, z: (z.mean(axis=0), z.var(axis=0)))
    np.testing.assert_allclose(output.T, expected, rtol=1e-11, atol=1e-12)


def test_evaluation_normalises_by_the_running_statistics() -> None:
    network = build_network()
    rng = np.random.default_rng(1)
    network.running[:] = rng.uniform(0.5, 2.0, network.running.shape)
    x = rng.standard_normal((7, 3))
    output = Pass(network, 7, training=False).forward(with_ones(x, "float64").T)

    def running(index: int, _: Any) -> Any:
        normalised = network.layers[index].normalised
        assert normalised is not None
        return normalised.mean.ravel(), normalised.variance.ravel()

    np.testing.assert_allclose(output.T, formula(network, x, running), rtol=1e-11, atol=1e-12)


def test_running_statistics_are_running_means_of_those_of_the_batches() -> None:
    trainer = build_trainer(build_problem(), **NET)
    normalised = trainer.network.layers[0].normalised
    assert normalised is not None
    mean, variance = np.zeros(5), np.ones(5)
    for _ in range(7):
        weight = trainer.network.layers[0].weight.copy()
        trainer.run_chunk(1)
        z = trainer._x_batch[:, :-1] @ weight
        mean, variance = 0.9 * mean + 0.1 * z.mean(axis=0), 0.9 * variance + 0.1 * z.var(axis=0)
    np.testing.assert_allclose(normalised.mean.ravel(), mean, atol=1e-12)
    np.testing.assert_allclose(normalised.variance.ravel(), variance, rtol=1e-12)


def test_an_evaluation_changes_no_statistics() -> None:
    trainer = build_trainer(build_problem(), **NET)
    trainer.run_chunk(3)
    before = trainer.network.running.copy()
    assert repr(trainer.evaluate()) == repr(trainer.evaluate())
    np.testing.assert_array_equal(trainer.network.running, before)


def test_parameters_lie_as_weight_bias_gamma_beta_slope_and_only_weights_are_penalised() -> None:
    network = build_network(hidden_units=(4,), activation="prelu")
    network.parameters[:] = np.arange(network.parameters.size)
    layer = network.layers[0]
    assert layer.normalised is not None
    assert layer.slope is not None
    parts = [layer.weight, layer.bias, layer.normalised.gamma, layer.normalised.beta, layer.slope]
    np.testing.assert_array_equal(np.concatenate([part.ravel() for part in parts]), np.arange(28))
    assert network.is_weight.nonzero()[0].tolist() == [*range(12), *range(28, 36)]
    assert network.running.shape == (8,)


@pytest.mark.parametrize("penalty", [{"l1": 0.1}, {"l2": 0.1}, {"optimizer": "adamw", "weight_decay": 0.5}])
def test_penalties_leave_gamma_and_beta_alone(penalty: dict[str, Any]) -> None:
    plain = build_trainer(build_problem(), **NET)
    penalised = build_trainer(build_problem(), **{**NET, **penalty})
    plain.run_chunk(1)
    penalised.run_chunk(1)
    others = ~plain.network.is_weight
    np.testing.assert_array_equal(plain.network.parameters[others], penalised.network.parameters[others])
    assert (plain.network.parameters != penalised.network.parameters).any()


def test_the_bias_below_a_normalisation_stays_where_it_is() -> None:
    trainer = build_trainer(build_problem(), initializer="playground", **NET)
    trainer.run_chunk(20)
    np.testing.assert_array_equal(trainer.network.layers[0].bias, 0.1)
    assert (trainer.network.layers[-1].bias != 0.1).all()


def test_the_output_does_not_depend_on_the_scale_of_the_weights_below() -> None:
    x = np.random.default_rng(1).standard_normal((16, 3))
    outputs = []
    for scale in (1.0, 1000.0):
        network = build_network()
        network.layers[0].affine *= scale
        outputs.append(Pass(network, 16, training=True).forward(with_ones(x, "float64").T).copy())
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4)


def test_deltas_are_taken_where_the_activation_sees_them() -> None:
    problem = build_problem("multiclass")
    deltas = []
    for scale in (1.0, 1000.0):
        trainer = build_trainer(problem, **{**NET, "batch_size": 32})
        trainer.network.layers[0].affine *= scale
        deltas.append(trainer.run_chunk(1).samples[0].delta_rms)
    np.testing.assert_allclose(deltas[0], deltas[1], rtol=1e-3)


def test_a_deep_sigmoid_network_learns_with_it_and_not_without() -> None:
    problem = build_problem("multiclass", rows=400)
    config: dict[str, Any] = {
        "hidden_units": (16,) * 5, "activation": "sigmoid", "optimizer": "sgd", "learning_rate": 0.05,
        "epochs": 20, "initializer": "glorot_uniform",
    }  # fmt: skip
    found = [
        run(problem, batch_norm=norm, **config).evaluations[-1].metrics["val_accuracy"]
        for norm in (False, True)
    ]
    assert found[0] < 0.6
    assert found[1] > 0.85


def test_statistics_that_overflow_are_told_as_activations() -> None:
    trainer = build_trainer(build_problem(), **{**NET, "dtype": "float32"})
    trainer.network.layers[1].weight[:] = 1e25
    assert trainer.run_chunk(1).ended is not Ending.DIVERGED
    found = trainer.evaluate()
    assert isinstance(found, NonFinite)
    assert (found.quantity, found.layer) == ("activations", 1)
