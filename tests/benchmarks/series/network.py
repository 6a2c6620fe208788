"""What everybody logs: 28 series of a network that is trained here, step by step, in NumPy.

Four ReLU layers and an output layer read the digits, with noise added to the pixels, by plain SGD whose
learning rate is halved ten times. Written out rather than asked of the engine, which reads its layers'
probes at few steps only: here every series has a value at every step.
"""

from __future__ import annotations

import sys
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.series.places import DATA

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LAYERS = 4
RUN_WIDE = ("loss", "accuracy", "learning_rate", "gradient_norm")
OF_A_LAYER = (
    "zero_fraction", "layer_gradient_norm", "weight_norm", "update_ratio", "activation_mean", "activation_sd",
)  # fmt: skip
NAMES = (*RUN_WIDE, *(f"layer_{layer}/{name}" for layer in range(LAYERS) for name in OF_A_LAYER))

BATCH, WIDTH, CLASSES, NOISE, LEARNING_RATE, SEED = 32, 32, 10, 0.5, 0.05, 20_261_122
HALVINGS = 10
SPIKE_STEP, SPIKE, NAN_STEP = 123_457, 1e4, 654_321  # of the read tests only


def values(steps: int) -> NDArray[np.float32]:
    """Give the series of a training of so many steps; trained once, then kept. Shapes: (28, steps)."""
    path = _path(steps)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"training the network for {steps:,} steps", file=sys.stderr, flush=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, train(steps))
        partial.rename(path)
    found: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return found


def marked_loss(steps: int) -> NDArray[np.float64]:
    """Give the loss with the spike and the NaN that readers must show, as far as they lie in it."""
    loss = np.array(values(steps)[0], np.float64)
    loss[SPIKE_STEP : SPIKE_STEP + 1] = SPIKE
    loss[NAN_STEP : NAN_STEP + 1] = np.nan
    return loss


def train(steps: int) -> NDArray[np.float32]:
    """Train, and measure every step. Shapes: (28, steps)."""
    rng = np.random.default_rng(SEED)
    x, labels = _digits()
    sizes = (x.shape[1], *[WIDTH] * LAYERS, CLASSES)
    weights = [
        rng.standard_normal((n_in, n_out), np.float32) * np.float32((2.0 / n_in) ** 0.5)
        for n_in, n_out in pairwise(sizes)
    ]
    found = np.empty((steps, len(NAMES)), np.float32)
    for step in range(steps):
        rows = rng.integers(0, len(x), BATCH)
        noisy = x[rows] + np.float32(NOISE) * rng.standard_normal((BATCH, x.shape[1]), np.float32)
        rate = LEARNING_RATE * 0.5 ** (step * HALVINGS // steps)
        _step(weights, noisy, labels[rows], rate, found[step])
    return np.ascontiguousarray(found.T)


def _step(
    weights: list[NDArray[np.float32]],
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    rate: float,
    told: NDArray[np.float32],
) -> None:
    """Do one step of SGD; write the step's 28 values into ``told``."""
    activations = [x]
    for weight in weights[:-1]:
        activations.append(np.maximum(activations[-1] @ weight, 0.0))
    logits = activations[-1] @ weights[-1]
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = shifted / shifted.sum(axis=1, keepdims=True)
    picked = shares[np.arange(BATCH), labels]
    correct = int((logits.argmax(axis=1) == labels).sum())
    told[:3] = -np.log(picked + 1e-12).mean(), correct / BATCH, rate
    dy = shares
    dy[np.arange(BATCH), labels] -= 1.0
    dy /= BATCH
    total = 0.0
    for layer in reversed(range(len(weights))):
        weight, gradient = weights[layer], activations[layer].T @ dy
        squares = float(np.vdot(gradient, gradient))
        total += squares
        if layer:
            dy = (dy @ weight.T) * (activations[layer] > 0.0)
        if layer < LAYERS:
            size, outputs = float(np.vdot(weight, weight)) ** 0.5, activations[layer + 1]
            place = len(RUN_WIDE) + layer * len(OF_A_LAYER)
            told[place:place + len(OF_A_LAYER)] = (
                1.0 - np.count_nonzero(outputs) / outputs.size, squares**0.5, size,
                rate * squares**0.5 / size, outputs.mean(), outputs.std(),
            )  # fmt: skip
        weight -= np.float32(rate) * gradient
    told[3] = total**0.5


@cache
def _digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from nnlab.data.config import DataConfig  # noqa: PLC0415 - peers' environments only read what is kept
    from nnlab.data.preparation import prepare  # noqa: PLC0415

    problem = prepare(DataConfig(dataset="digits"))
    return problem.x_train.astype(np.float32), problem.y_train.astype(np.int64)


def _path(steps: int) -> Path:
    return DATA / f"network-{steps}.npy"
