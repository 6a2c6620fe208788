"""Dropout: inverted, off in evaluation, an ensemble of thinned nets, and a penalty on weights."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.network import Dropout, Network, Pass, with_ones
from tests.engine.builders import build_problem, build_trainer, run


def build_network(config: TrainingConfig, seed: int = 0) -> Network:
    network = Network(config, 4, 2)
    network.parameters[:] = np.random.default_rng(seed).standard_normal(network.parameters.shape)
    return network


def test_no_dropout_is_bit_identical_to_dropout_0() -> None:
    problem = build_problem()
    plain = run(problem, hidden_units=(8, 8), epochs=3)
    zero = run(problem, hidden_units=(8, 8), dropout=(0.0, 0.0), epochs=3)
    np.testing.assert_array_equal(plain.losses, zero.losses)


def test_evaluation_uses_no_mask_and_repeats() -> None:
    problem = build_problem()
    with_dropout = build_trainer(problem, dropout=0.5)
    without = build_trainer(problem)
    assert repr(with_dropout.evaluate()) == repr(with_dropout.evaluate()) == repr(without.evaluate())


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_masks_keep_the_mean_and_the_share(rate: float) -> None:
    rows = 100_000
    dropout = Dropout(np.empty((3, rows)), rate, seed=1, layer=0)
    dropout.draw(1)
    values = np.unique(dropout.mask)
    np.testing.assert_allclose(values, [0.0, 1.0 / (1.0 - rate)], rtol=1e-12)
    error = np.sqrt(rate / (1.0 - rate) / rows)  # of the mean of h m / q, for h = 1
    assert (np.abs(dropout.mask.mean(axis=1) - 1.0) < 4.0 * error).all()


def test_every_step_layer_and_row_draws_its_own_mask() -> None:
    like = np.empty((50, 40))
    first, second = Dropout(like, 0.5, seed=0, layer=0), Dropout(like, 0.5, seed=0, layer=1)
    first.draw(1)
    second.draw(1)
    same_as = {
        "layer": (first.mask == second.mask).mean(),
        "row": (first.mask[:, 1:] == first.mask[:, :-1]).mean(),
    }
    before = first.mask.copy()
    first.draw(2)
    same_as["step"] = (first.mask == before).mean()
    assert all(0.4 < share < 0.6 for share in same_as.values())
    first.draw(1)
    np.testing.assert_array_equal(first.mask, before)


def test_the_weighted_mean_of_all_thinned_nets_is_the_full_net() -> None:
    rate, units = 0.3, 8
    network = build_network(
        TrainingConfig(hidden_units=(units,), activation="tanh", dropout=rate, dtype="float64")
    )
    x = with_ones(np.random.default_rng(1).standard_normal((5, 4)), "float64").T
    full = Pass(network, 5, training=False).forward(x).copy()
    thinned = Pass(network, 5, training=True)
    dropout = thinned.dropouts[0]
    assert dropout is not None
    mean = np.zeros_like(full)
    for kept in product([0.0, 1.0], repeat=units):
        probability = np.prod(np.where(kept, 1.0 - rate, rate))
        dropout.mask[:] = np.array(kept)[:, None] / (1.0 - rate)
        mean += probability * thinned.forward(x)
    np.testing.assert_allclose(mean, full, rtol=1e-12, atol=1e-12)


def test_dropout_on_inputs_is_a_penalty_that_grows_with_the_rate() -> None:
    rng = np.random.default_rng(0)
    rows, inputs = 12, 4
    x, y, w = rng.standard_normal((rows, inputs)), rng.standard_normal(rows), rng.standard_normal(inputs)
    # a linear hidden layer that copies its inputs, with dropout behind it, is dropout on the inputs
    network = Network(
        TrainingConfig(hidden_units=(inputs,), activation="linear", dropout=0.4, dtype="float64"), inputs, 1
    )
    network.parameters[:] = 0.0
    network.layers[0].weight[:] = np.eye(inputs)
    network.layers[1].weight[:, 0] = w
    passed = Pass(network, rows, training=True)
    dropout = passed.dropouts[0]
    assert dropout is not None
    expected = 0.0
    for kept in product([0.0, 1.0], repeat=inputs):
        dropout.mask[:] = np.array(kept)[:, None] / 0.6
        output = passed.forward(with_ones(x, "float64").T)[0]
        expected += float(np.prod(np.where(kept, 0.6, 0.4))) * float(np.square(y - output).sum())
    penalty = 0.4 / 0.6 * float((w**2 * (x**2).sum(axis=0)).sum())
    assert expected == pytest.approx(float(np.square(y - x @ w).sum()) + penalty, rel=1e-10)

    norms = []
    for rate in (0.0, 0.1, 0.2, 0.5):
        ridge = np.diag(rate / (1.0 - rate) * (x**2).sum(axis=0))
        norms.append(np.linalg.norm(np.linalg.solve(x.T @ x + ridge, x.T @ y)))
    assert norms == sorted(norms, reverse=True)
