"""How many random ReLU networks are born dead: our own initialiser and probe against published figures."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from nnlab.engine.config import TrainingConfig
from nnlab.engine.network import Network, Pass, with_ones
from nnlab.engine.probes import Sums
from nnlab.health.checks.born_dead import born_dead_bound

ROWS = 64
REFERENCE_NETS = 100_000  # behind each figure of the table


@dataclass(frozen=True)
class Cell:
    """One width and depth of the reference table; ``layers`` counts the output.

    Args:
        upper: theorem 2 of Lu, Shin, Su, Karniadakis, arXiv 1903.06733.
        lower: their theorem 3, for one input.
        shares: of dead networks, by number of inputs.
    """

    width: int
    layers: int
    upper: float
    lower: float
    shares: dict[int, float]

    @property
    def bound(self) -> float:
        """The upper bound as the check computes it."""
        return born_dead_bound([self.width] * (self.layers - 1))

    @property
    def exact_lower(self) -> float:
        """The lower bound for one input."""
        n, depth = self.width, self.layers - 2
        a = 1 - 2.0**-n
        b = 1 - 2.0 ** (1 - n) - (n - 1) * 2.0 ** (-2 * n)
        c = (1 - 2.0 ** (1 - n)) * a / (1 + (n - 1) * 2.0**-n)
        return float(1 - a**depth - c * (a**depth - b**depth))

    def tolerance(self, inputs: int, nets: int) -> float:
        """How far the share of so many networks may be from the reference, which is an estimate too."""
        share = self.shares[inputs]
        return 3.5 * sqrt(share * (1 - share) * (1 / nets + 1 / REFERENCE_NETS)) + 0.002


CELLS = (
    Cell(2, 3, 0.4375, 0.1562, {1: 0.1565, 2: 0.0669, 10: 0.0621}),
    Cell(2, 5, 0.6836, 0.4767, {1: 0.4955, 2: 0.4134, 10: 0.4065}),
    Cell(2, 10, 0.9249, 0.8703, {1: 0.8806, 2: 0.8580, 10: 0.8567}),
    Cell(3, 10, 0.6993, 0.5134, {1: 0.5769, 2: 0.5053, 10: 0.4943}),
    Cell(4, 10, 0.4406, 0.2042, {1: 0.2928, 2: 0.2071, 10: 0.1827}),
    Cell(5, 10, 0.2485, 0.0640, {1: 0.1298, 2: 0.0688, 10: 0.0518}),
    Cell(5, 20, 0.4530, 0.2138, {1: 0.3511, 2: 0.2917, 10: 0.2729}),
    Cell(8, 20, 0.0717, 0.0052, {1: 0.0367, 2: 0.0196, 10: 0.0162}),
    Cell(8, 35, 0.1246, 0.0157, {1: 0.0888, 2: 0.0642, 10: 0.0602}),
)


def dead_share(cell: Cell, inputs: int, nets: int) -> float:
    """Draw networks, and 64 inputs from -1 to 1 for each; count those where the probe finds a silent layer.

    In float64, so that signals which shrink in deep networks are not taken for silence.
    """
    rng = np.random.default_rng(inputs)
    dead = 0
    for seed in range(nets):
        config = TrainingConfig(
            hidden_units=(cell.width,) * (cell.layers - 1),
            initializer="he_normal",
            dtype="float64",
            seed=seed,
        )
        network = Network(config, inputs, 1)
        seen, sums = Pass(network, ROWS, training=False), Sums(network)
        seen.forward(with_ones(rng.uniform(-1, 1, (ROWS, inputs)), "float64").T)
        seen.d[:] = 0.0
        seen.backward()
        sums.read(seen, [layer.activation for layer in network.layers], network.parameters.astype(np.float64))
        dead += any(not counts.any() for counts in sums.sample(1).active_counts)
    return dead / nets
