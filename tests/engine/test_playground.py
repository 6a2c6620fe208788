"""Playground cases: what small networks can and cannot learn of its data, over 16 seeds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from nnlab.data.generators import generate
from nnlab.engine.problem import Problem
from tests.engine.builders import PLAYGROUND, build_trainer, build_xor, run

SEEDS = range(16)
FEATURES = {
    "x1": lambda x: x[:, 0],
    "x2": lambda x: x[:, 1],
    "x1^2": lambda x: x[:, 0] ** 2,
    "x2^2": lambda x: x[:, 1] ** 2,
    "x1x2": lambda x: x[:, 0] * x[:, 1],
    "sin x1": lambda x: np.sin(x[:, 0]),
    "sin x2": lambda x: np.sin(x[:, 1]),
}


def build_points(data: str, seed: int, noise: float, features: tuple[str, ...]) -> Problem:
    """Generate a playground's data, half of it for validation."""
    table = generate(data, noise=noise, seed=seed)
    order = np.random.default_rng(seed).permutation(len(table.y))
    points, y = table.frame.values[order], np.asarray(table.y)[order]
    x = np.column_stack([FEATURES[name](points) for name in features])
    y = y.reshape(-1, 1) if table.task == "regression" else y.astype(np.int64)
    half = len(y) // 2
    return Problem(table.task, x[:half], y[:half], x[half:], y[half:], 1)


@cache
def results(
    data: str,
    hidden_units: tuple[int, ...] = (),
    activation: str = "relu",
    *,
    noise: float = 0.0,
    features: tuple[str, ...] = ("x1", "x2"),
    seeds: range = SEEDS,
    **config: Any,
) -> tuple[list[float], float]:
    """Train each seed, 500 epochs unless said; give test losses and the share solved (accuracy >= .95)."""
    found = []
    for seed in seeds:
        problem = build_points(data, seed, noise, features)
        output = "linear" if problem.task == "regression" else "tanh"
        settings = {"epochs": 500, "output_activation": output, "seed": seed, **config}
        network = {"hidden_units": hidden_units, "activation": activation}
        found.append(run(problem, **{**PLAYGROUND, **network, **settings}).evaluations[-1].metrics)
    solved = np.mean([metrics.get("val_accuracy", 0.0) >= 0.95 for metrics in found])
    return [metrics["val_loss"] for metrics in found], float(solved)


def losses(data: str, *args: Any, **config: Any) -> list[float]:
    return results(data, *args, **config)[0]


def solved(data: str, *args: Any, **config: Any) -> float:
    return results(data, *args, **config)[1]


@pytest.mark.parametrize("hidden_units", [(), (1,), (3,)])
def test_p1_linear_networks_cannot_learn_xor(hidden_units: tuple[int, ...]) -> None:
    assert min(losses("xor", hidden_units, "linear")) >= 0.45


def test_p2_p3_one_and_two_relu_units_bend_but_fail() -> None:
    assert solved("xor", (1,)) == solved("xor", (2,)) == 0.0
    assert 0.35 <= np.median(losses("xor", (1,))) <= 0.45
    assert np.median(losses("xor", (2,))) < np.median(losses("xor", ())) - 0.1


def test_p4_three_relu_units_can_but_not_on_every_seed() -> None:
    assert min(losses("xor", (3,))) < 0.02
    assert 0.3 <= solved("xor", (3,)) <= 0.9


def test_p5_more_relu_units_nearly_always_can() -> None:
    assert solved("xor", (4,)) >= 0.6
    assert solved("xor", (5,)) >= 0.8
    assert solved("xor", (8,), seeds=range(32)) >= 0.95  # about one seed in 200 fails
    assert solved("xor", (3,)) < solved("xor", (8,))


def test_p6_three_narrow_relu_layers_can_on_most_seeds() -> None:
    assert min(losses("xor", (3, 3, 2))) < 0.02
    assert 0.4 <= solved("xor", (3, 3, 2)) <= 0.95


def test_p8_tanh_networks_solve_xor_more_often_as_they_grow() -> None:
    shares = [solved("xor", units, "tanh") for units in ((2,), (3,), (4, 2))]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] >= 0.8


def test_p9_the_right_feature_needs_no_layer() -> None:
    assert max(losses("xor", features=("x1", "x2", "x1x2"))) < 0.02


def test_p10_a_start_at_zero_learns_nothing() -> None:
    assert min(losses("xor", (4,), initializer="zeros")) >= 0.45


def test_p10_at_zero_only_the_output_bias_has_a_gradient() -> None:
    trainer = build_trainer(build_xor(0), **{**PLAYGROUND, "hidden_units": (4,), "initializer": "zeros"})
    trainer.run_chunk(100)
    parameters = trainer.network.parameters
    assert parameters[-1] != 0.0
    assert not parameters[:-1].any()


def test_p14_a_line_cannot_part_a_disc_from_its_ring() -> None:
    assert min(losses("circle")) >= 0.45


def test_p15_squares_can() -> None:
    squares = ("x1^2", "x2^2")
    assert np.median(losses("circle", features=squares)) < 0.01
    assert solved("circle", features=squares) >= 0.7


@pytest.mark.parametrize(("noise", "bound"), [(0.0, 0.01), (0.25, 0.08), (0.5, 0.17)])
def test_p17_a_line_parts_two_clouds_as_well_as_they_are_apart(noise: float, bound: float) -> None:
    assert np.median(losses("gauss", noise=noise, epochs=200)) < bound


@pytest.mark.parametrize(
    ("hidden_units", "activation", "epochs"),
    [((), "linear", 300), ((4, 2), "tanh", 1000), ((8,), "tanh", 1000), ((8, 8, 8), "sigmoid", 1000)],
)
def test_p18_small_or_vanishing_networks_cannot_learn_the_spiral(
    hidden_units: tuple[int, ...], activation: str, epochs: int
) -> None:
    assert solved("spiral", hidden_units, activation, epochs=epochs) == 0.0
    if activation == "sigmoid":
        assert min(losses("spiral", hidden_units, activation, epochs=epochs)) >= 0.45


def test_p19_the_spiral_needs_size() -> None:
    assert solved("spiral", (8, 8), epochs=1000) <= 0.75
    assert solved("spiral", (32, 32), epochs=600) >= 0.9


def test_p20_or_the_right_features() -> None:
    sines = ("x1", "x2", "sin x1", "sin x2")
    assert solved("spiral", (8, 8), "tanh", features=sines, epochs=1000) >= 0.85
    assert solved("spiral", (6,), "tanh", features=tuple(FEATURES), epochs=1000) >= 0.4


def test_p22_a_plane_needs_no_layer() -> None:
    assert max(losses("reg-plane", epochs=200)) < 0.001


def test_p23_six_cones_are_fitted_better_by_larger_networks() -> None:
    none, small, large = (losses("reg-gauss", units, "tanh", epochs=200) for units in ((), (4, 2), (8, 8)))
    assert np.median(none) > np.median(small) > np.median(large)
    relu = losses("reg-gauss", (8, 8), epochs=200)
    assert max(np.median(part) for part in (none, small, large, relu)) < 0.05
