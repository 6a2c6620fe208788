"""NumPy as one would write a population by hand: a leading axis of members, and nothing of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.engine.contender import Unable
from tests.benchmarks.engine.workloads import Workload, initial_layers, our_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class Batched:
    """Matrix products over all members at once; arrays are (members, rows, units)."""

    def __init__(self, workload: Workload, option: str) -> None:
        config = workload.config
        if workload.task == "multiclass" or config.batch_norm or config.l2 or config.clip_norm:
            raise Unable("written for the two populations only")
        self.workload, self.config, self.configs = workload, config, workload.configs()
        problem = workload.problem()
        self.x = problem.x_train
        self.y = problem.y_train.reshape(workload.rows, 1).astype(np.float32)
        self.rates = np.array([one.learning_rate for one in self.configs], np.float32)[:, None, None]
        self.rng = np.random.default_rng(1)
        self._start()

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew."""
        self._start()
        found = []
        for step in range(steps):
            epoch, index = divmod(step, self.workload.steps_per_epoch)
            if index == 0:
                self._permute(np.stack([our_order(self.workload, one, epoch) for one in self.configs]))
            found.append(self._step(index, drops=False))
        self._start()
        return np.stack(found, axis=1)

    def run(self, steps: int) -> int:
        """Train on."""
        losses = np.empty((steps, len(self.configs)))
        rows = np.arange(self.workload.rows)
        for step in range(steps):
            index = self.count % self.workload.steps_per_epoch
            if index == 0:
                self._permute(self.rng.permuted(np.tile(rows, (len(self.configs), 1)), axis=1))
            losses[step] = self._step(index, drops=True)
        return steps

    def versions(self) -> dict[str, str]:
        """Name NumPy's."""
        return {"numpy": np.__version__}

    def _start(self) -> None:
        members = [initial_layers(self.workload, one) for one in self.configs]
        self.weights = [np.stack([one["weight"] for one in same]) for same in zip(*members, strict=True)]
        self.biases = [
            np.stack([one["bias"] for one in same])[:, None] for same in zip(*members, strict=True)
        ]
        self.moments = [[np.zeros_like(p), np.zeros_like(p)] for p in (*self.weights, *self.biases)]
        self.count = 0

    def _permute(self, orders: NDArray[np.int64]) -> None:
        self.x_epoch, self.y_epoch = self.x[orders], self.y[orders]

    def _step(self, index: int, *, drops: bool) -> NDArray[np.floating]:
        self.count += 1
        size = self.config.batch_size
        batch = slice(index * size, (index + 1) * size)
        x, y = self.x_epoch[:, batch], self.y_epoch[:, batch]
        inputs, slopes, masks = [x], [], []
        for layer, rate in enumerate(self.config.dropouts):
            z = inputs[-1] @ self.weights[layer]
            z += self.biases[layer]
            a, slope = self._activate(z)
            slopes.append(slope)
            masks.append(self._mask(a.shape, rate) if drops and rate else None)
            inputs.append(a if masks[-1] is None else a * masks[-1])
        loss, d = self._loss(inputs[-1] @ self.weights[-1] + self.biases[-1], y)
        gradients: list[tuple[Any, Any]] = []
        for layer in range(len(self.weights) - 1, -1, -1):
            gradients.insert(0, (inputs[layer].transpose(0, 2, 1) @ d, d.sum(axis=1, keepdims=True)))
            if layer:
                d = d @ self.weights[layer].transpose(0, 2, 1)
                if masks[layer - 1] is not None:
                    d *= masks[layer - 1]
                d *= slopes[layer - 1]
        by_weight, by_bias = zip(*gradients, strict=True)
        for p, g, moments in zip(
            (*self.weights, *self.biases), (*by_weight, *by_bias), self.moments, strict=True
        ):
            self._update(p, g, moments)
        return np.asarray(loss)

    def _activate(self, z: Any) -> tuple[Any, Any]:
        if self.config.activations[0] == "relu":
            return np.maximum(z, 0.0), z > 0.0
        a = np.tanh(z)
        return a, 1.0 - a * a

    def _mask(self, shape: tuple[int, ...], rate: float) -> Any:
        return (self.rng.random(shape, np.float32) >= rate) * np.float32(1.0 / (1.0 - rate))

    def _loss(self, z: Any, y: Any) -> tuple[Any, Any]:
        rows = z.shape[1]
        if self.workload.task == "regression":
            error = z - y
            return np.square(error).mean(axis=(1, 2)), error * np.float32(2.0 / rows)
        small = np.exp(-np.abs(z))
        losses = np.maximum(z, 0.0) - z * y + np.log1p(small)
        d = np.where(z >= 0.0, 1.0, small) / (1.0 + small) - y
        return losses.mean(axis=(1, 2)), d / np.float32(rows)

    def _update(self, p: Any, g: Any, moments: list[Any]) -> None:
        if self.config.optimizer == "sgd":
            p -= self.rates * g
            return
        first, second = moments
        first *= BETA1
        first += (1.0 - BETA1) * g
        g *= g
        second *= BETA2
        second += (1.0 - BETA2) * g
        root = np.sqrt(second / np.float32(1.0 - BETA2**self.count))
        root += EPS
        p -= self.rates * np.float32(1.0 / (1.0 - BETA1**self.count)) * first / root
