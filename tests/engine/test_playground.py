"""Playground cases: what small networks can and cannot learn of xor."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.engine.builders import PLAYGROUND, build_trainer, build_xor, run

SEEDS = range(8)


@cache
def results(
    hidden_units: tuple[int, ...], activation: str, seeds: range, **config: Any
) -> tuple[list[float], float]:
    """Train 500 epochs on xor; give the test losses and the share of seeds solved (accuracy >= .95)."""
    cross = config.pop("cross", False)
    found = [
        run(
            build_xor(seed, cross=cross),
            **{
                **PLAYGROUND,
                "epochs": 500,
                "seed": seed,
                "hidden_units": hidden_units,
                "activation": activation,
                **config,
            },
        )
        .evaluations[-1]
        .metrics
        for seed in seeds
    ]
    solved = np.mean([metrics["val_accuracy"] >= 0.95 for metrics in found])
    return [metrics["val_loss"] for metrics in found], float(solved)


@pytest.mark.parametrize("hidden_units", [(), (1,), (3,)])
def test_p1_linear_networks_cannot_learn_xor(hidden_units: tuple[int, ...]) -> None:
    losses, _ = results(hidden_units, "linear", range(4))
    assert min(losses) >= 0.45


def test_p4_three_relu_units_can_but_not_on_every_seed() -> None:
    losses, solved = results((3,), "relu", SEEDS)
    assert min(losses) < 0.02
    assert 0.3 <= solved <= 0.9


def test_p5_eight_relu_units_nearly_always_can() -> None:
    _, solved = results((8,), "relu", SEEDS)
    assert solved >= 0.95
    assert results((3,), "relu", SEEDS)[1] < solved


def test_p9_the_right_feature_needs_no_layer() -> None:
    losses, _ = results((), "linear", range(4), cross=True)
    assert max(losses) < 0.02


def test_p10_a_start_at_zero_learns_nothing() -> None:
    losses, _ = results((4,), "relu", range(4), initializer="zeros")
    assert min(losses) >= 0.45


def test_p10_at_zero_only_the_output_bias_has_a_gradient() -> None:
    trainer = build_trainer(build_xor(0), **{**PLAYGROUND, "hidden_units": (4,), "initializer": "zeros"})
    trainer.run_chunk(100)
    parameters = trainer.network.parameters
    assert parameters[-1] != 0.0
    assert not parameters[:-1].any()
