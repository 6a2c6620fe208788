"""How often a ReLU network is born dead: its initialiser and its probes against the literature.

Source: Lu et al. 2019, "Dying ReLU and initialization", whose bounds these are. A network of L layers, of
which the L - 1 hidden ones have N units, weights symmetric around 0 and no biases.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.tiers import make_trainer
from tests.engine.native import needs_native

NETWORKS, ROWS = 4000, 64
# Units, layers and inputs, and the share of 100,000 networks that were dead on 64 inputs drawn for each.
CELLS = {
    (2, 3, 1): 0.1565,
    (2, 3, 10): 0.0621,
    (2, 10, 2): 0.8580,
    (3, 10, 1): 0.5769,
    (5, 10, 2): 0.0688,
    (5, 20, 1): 0.3511,
    (8, 20, 10): 0.0162,
}


def upper_bound(units: int, layers: int) -> float:
    """The share where no input at all may pass a unit."""
    return 1.0 - (1.0 - 2.0**-units) ** (layers - 1)


def lower_bound(units: int, layers: int) -> float:
    """The least share for a single input number."""
    a = 1.0 - 2.0**-units
    half = 1.0 - 2.0 ** (1 - units)
    b = half - (units - 1) * 2.0 ** (-2 * units)
    c = half * a / (1.0 + (units - 1) * 2.0**-units)
    return 1.0 - a ** (layers - 2) - c * (a ** (layers - 2) - b ** (layers - 2))


@needs_native
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_as_many_networks_are_born_dead_as_theory_says(cell: tuple[int, int, int]) -> None:
    units, layers, inputs = cell
    rng = np.random.default_rng(cell)
    share = np.mean([is_born_dead(cell, int(seed), rng) for seed in rng.integers(0, 2**60, NETWORKS)])
    expected = CELLS[cell]
    tolerance = 3.5 * sqrt(expected * (1.0 - expected) * (1.0 / NETWORKS + 1e-5)) + 0.002
    assert share == pytest.approx(expected, abs=tolerance)
    assert share <= upper_bound(units, layers) + tolerance
    if inputs == 1:
        assert share >= lower_bound(units, layers) - tolerance


def is_born_dead(cell: tuple[int, int, int], seed: int, rng: np.random.Generator) -> bool:
    """Tell whether some hidden layer of a new network is silent for all of its inputs."""
    units, layers, inputs = cell
    x, y = rng.uniform(-1.0, 1.0, (ROWS, inputs)), np.ones((ROWS, 1))
    config = TrainingConfig(
        hidden_units=(units,) * (layers - 1),
        initializer="he_normal",
        optimizer="sgd",
        batch_size=ROWS,
        steps=1,
        seed=seed,
    )
    trainer = make_trainer(config, Problem("regression", x, y, x[:1], y[:1], 1), "native")
    (sample,) = trainer.run_chunk(1).samples
    return any(not counts.any() for counts in sample.active_counts)


@pytest.mark.parametrize(
    ("units", "layers", "upper", "lower"),
    [(2, 3, 0.4375, 0.1562), (2, 10, 0.9249, 0.8703), (5, 20, 0.4530, 0.2138), (8, 35, 0.1246, 0.0157)],
)
def test_the_bounds_are_those_of_the_paper(units: int, layers: int, upper: float, lower: float) -> None:
    assert upper_bound(units, layers) == pytest.approx(upper, abs=5e-5)
    assert lower_bound(units, layers) == pytest.approx(lower, abs=5e-5)
