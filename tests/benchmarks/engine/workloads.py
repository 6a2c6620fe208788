"""What is trained: networks of the sizes that people sweep, on synthetic data of a fixed seed.

Needs NumPy and the engine's specification only, so that every contender can build the same problem.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.config import TrainingConfig
from nnlab.engine.counter_random import Stream, key, mixed, permutation
from nnlab.engine.network import Network
from nnlab.engine.problem import Problem
from nnlab.engine.sizes import parameter_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One for which no unit comes so near its kink in the checked steps that rounding decides: two right
# trajectories would part there, as with one seed in four.
DATA_SEED = 2
VALIDATION_ROWS = 100
STEPS = 10**9  # never reached: the benchmark says when to stop


@dataclass(frozen=True)
class Workload:
    """One network on one problem, or a population of them that differ in seed and learning rate.

    Args:
        target: the least ratio of our native tier's speed to that of the fastest peer.
    """

    name: str
    title: str
    task: str
    inputs: int
    outputs: int
    rows: int
    target: float
    members: int = 1
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> TrainingConfig:
        """The network and its training; of the first member in a population."""
        return TrainingConfig(steps=STEPS, **self.settings)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the rows; a trailing partial batch is dropped by everybody."""
        return int(self.rows // self.config.batch_size)

    @property
    def parameters(self) -> int:
        """Parameters of one network."""
        return parameter_count(self.config, self.inputs, self.outputs)

    @property
    def flops(self) -> int:
        """Operations of one step's matrix products: three a layer, two in the first."""
        sizes = list(pairwise((self.inputs, *self.config.hidden_units, self.outputs)))
        products = 3 * sum(n_in * n_out for n_in, n_out in sizes) - sizes[0][0] * sizes[0][1]
        return 2 * self.config.batch_size * products

    def configs(self) -> list[TrainingConfig]:
        """Give each member's config: seeds 0, 1, ... and learning rates up to the workload's."""
        one = self.config
        rates = one.learning_rate * np.arange(1, self.members + 1) / self.members
        return [replace(one, seed=seed, learning_rate=float(rate)) for seed, rate in enumerate(rates)]

    def problem(self) -> Problem:
        """Draw the rows: standard normal inputs, and answers of a random nonlinear teacher."""
        rng = np.random.default_rng(DATA_SEED)
        count = self.rows + VALIDATION_ROWS
        x = rng.standard_normal((count, self.inputs), np.float32)
        hidden = np.tanh(x @ rng.standard_normal((self.inputs, 16), np.float32) / self.inputs**0.5)
        z = hidden @ rng.standard_normal((16, self.outputs), np.float32)
        z += 0.1 * rng.standard_normal(z.shape, np.float32)
        y: NDArray[np.generic] = z / z.std()
        if self.task == "binary":
            y = (z[:, 0] > 0.0).astype(np.int64)
        elif self.task == "multiclass":
            y = z.argmax(axis=1)
        train, held = slice(self.rows), slice(self.rows, None)
        return Problem(self.task, x[train], y[train], x[held], y[held], self.outputs)


def initial_layers(workload: Workload, config: TrainingConfig) -> list[dict[str, NDArray[np.float32]]]:
    """Give our initial parameters: for each layer weight (in, out) and bias, then gamma and beta."""
    layers = []
    for layer in Network(config, workload.inputs, workload.outputs).layers:
        named = {"weight": layer.weight}
        if layer.normalised is None:
            named["bias"] = layer.bias
        else:  # which takes the bias away: ours stays 0, so that nobody needs one
            named |= {"gamma": layer.normalised.gamma[:, 0], "beta": layer.normalised.beta[:, 0]}
        layers.append({name: np.array(values, np.float32) for name, values in named.items()})
    return layers


def our_order(workload: Workload, config: TrainingConfig, epoch: int) -> NDArray[np.int64]:
    """Give the order of an epoch's rows in our engine, without the trailing partial batch."""
    order = permutation(mixed(key(config.seed, Stream.SHUFFLE), epoch), workload.rows)
    return order[: workload.steps_per_epoch * config.batch_size]


W1 = Workload(
    "W1", "9-100-50-20-1 ReLU, MSE, batch 64, Adam, dropout .1", "regression", 9, 1, 17_000, 4.0,
    settings={"hidden_units": (100, 50, 20), "batch_size": 64, "learning_rate": 0.01, "dropout": 0.1},
)  # fmt: skip
W2 = Workload(
    "W2", "9-128-64-32-16-8-1 sigmoid, BCE, batch 32, Adam", "binary", 9, 1, 8_000, 2.1,
    settings={"hidden_units": (128, 64, 32, 16, 8), "activation": "sigmoid", "batch_size": 32,
              "learning_rate": 0.001},
)  # fmt: skip
W3 = Workload(
    "W3", "2-4-2-1 tanh, BCE, batch 10, SGD .03", "binary", 2, 1, 500, 12.0,
    settings={"hidden_units": (4, 2), "activation": "tanh", "batch_size": 10, "optimizer": "sgd",
              "learning_rate": 0.03, "initializer": "playground"},
)  # fmt: skip
W4 = Workload(
    "W4", "784-256-128-10 ReLU, CE, batch 128, Adam", "multiclass", 784, 10, 6_400, 1.3,
    settings={"hidden_units": (256, 128), "batch_size": 128, "learning_rate": 0.001},
)  # fmt: skip
# At a usual rate 63 million pre-activations meet so many kinks in the checked steps that rounding parts any
# two trajectories; at this one it does not, and a step takes as long.
W5 = Workload(
    "W5", "784-1024x4-10 ReLU, CE, batch 256, Adam", "multiclass", 784, 10, 2_560, 1.15,
    settings={"hidden_units": (1024,) * 4, "batch_size": 256, "learning_rate": 3e-6},
)  # fmt: skip
W6 = Workload(
    "W6", "64-128-64-10 leaky ReLU, CE, batch norm, L2, clip 1, momentum, batch 64", "multiclass", 64, 10,
    6_400, 2.5,
    settings={"hidden_units": (128, 64), "activation": "leaky_relu", "batch_norm": True, "l2": 1e-4,
              "clip_norm": 1.0, "optimizer": "momentum", "learning_rate": 0.01, "batch_size": 64},
)  # fmt: skip
POPULATIONS = (
    replace(W3, name="W3x128", title="128 members of W3", members=128, target=14.0),
    replace(W1, name="W1x32", title="32 members of W1", members=32, target=4.0),
)
WORKLOADS = {workload.name: workload for workload in (W1, W2, W3, W4, W5, W6, *POPULATIONS)}
