"""Keras on JAX: ``fit``, with a callback that keeps every step's loss."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

os.environ["KERAS_BACKEND"] = "jax"
import keras

from tests.benchmarks.engine.contender import Unable
from tests.benchmarks.engine.workloads import Workload, initial_layers, our_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOSSES = {
    "regression": keras.losses.MeanSquaredError,
    "binary": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "multiclass": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
}


# It stands beside the uncorrected root, so that this is 1e-8 beside the corrected one in the first step.
EPS = 1e-8 * (1.0 - 0.999) ** 0.5


class Fit:
    """One model, compiled with XLA."""

    def __init__(self, workload: Workload, option: str) -> None:
        if workload.members > 1:
            raise Unable("has no populations")
        if workload.config.clip_norm is not None and workload.config.l2:
            raise Unable("adds L2 before it clips")
        self.workload, self.config = workload, workload.config
        problem = workload.problem()
        used = workload.steps_per_epoch * self.config.batch_size
        self.x, self.y = problem.x_train[:used], problem.y_train[:used]
        self.model = self._fresh(drops=True)

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew, a batch a call."""
        model, size, losses = self._fresh(drops=False), self.config.batch_size, []
        problem = self.workload.problem()
        for step in range(steps):
            epoch, index = divmod(step, self.workload.steps_per_epoch)
            rows = our_order(self.workload, self.config, epoch)[index * size : (index + 1) * size]
            model.reset_metrics()  # what is told is a running mean
            losses.append(float(model.train_on_batch(problem.x_train[rows], problem.y_train[rows])))
        return np.array(losses)

    def run(self, steps: int) -> int:
        """Train on, whole epochs."""
        epochs = -(-steps // self.workload.steps_per_epoch)
        kept = Losses()
        self.model.fit(
            self.x, self.y, self.config.batch_size, epochs, verbose=0, shuffle=True, callbacks=[kept]
        )
        return len(kept.values)

    def versions(self) -> dict[str, str]:
        """Name the library's and its backend's."""
        import jax  # noqa: PLC0415

        return {"keras": keras.__version__, "jax": jax.__version__}

    def _fresh(self, *, drops: bool) -> Any:
        config = self.config
        layers = initial_layers(self.workload, config)
        model = keras.Sequential([keras.Input((self.workload.inputs,))])
        for index, layer in enumerate(layers):
            model.add(keras.layers.Dense(layer["weight"].shape[1]))
            model.layers[-1].set_weights([layer["weight"], layer["bias"]])
            if index + 1 < len(layers):
                model.add(keras.layers.Activation(config.activations[index]))
                if drops and config.dropouts[index]:
                    model.add(keras.layers.Dropout(config.dropouts[index]))
        optimizer = (
            keras.optimizers.Adam(config.learning_rate, epsilon=EPS)
            if config.optimizer == "adam"
            else keras.optimizers.SGD(config.learning_rate)
        )
        model.compile(optimizer, LOSSES[self.workload.task](), jit_compile=True)
        return model


class Losses(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps every step's (running mean) loss."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keep it."""
        self.values.append(float(logs["loss"]))
