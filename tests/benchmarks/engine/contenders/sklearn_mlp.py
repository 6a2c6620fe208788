"""scikit-learn's multi-layer perceptrons, an epoch a call."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from tests.benchmarks.engine.contender import Unable
from tests.benchmarks.engine.workloads import Workload, initial_layers, our_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}


# It stands beside the uncorrected root, so that this is 1e-8 beside the corrected one in the first step.
EPS = 1e-8 * (1.0 - 0.999) ** 0.5


class Perceptron:
    """It tells an epoch's mean loss only: one duty less."""

    def __init__(self, workload: Workload, option: str) -> None:
        config = workload.config
        for name, asked in (
            ("populations", workload.members > 1),
            ("dropout", any(config.dropouts)),
            ("batch norm", config.batch_norm),
            ("clipping", config.clip_norm is not None),
        ):
            if asked:
                raise Unable(f"has no {name}")
        self.workload, self.config = workload, config
        problem = workload.problem()
        self.x, self.y = problem.x_train, problem.y_train
        self.classes = {} if workload.task == "regression" else {"classes": np.unique(self.y)}
        self.model = self._fresh()

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew, a batch a call."""
        model, size, losses = self._fresh(), self.config.batch_size, []
        for step in range(steps):
            epoch, index = divmod(step, self.workload.steps_per_epoch)
            rows = our_order(self.workload, self.config, epoch)[index * size : (index + 1) * size]
            model.partial_fit(self.x[rows], self.y[rows])
            losses.append(model.loss_)
        return np.array(losses)

    def run(self, steps: int) -> int:
        """Train on, whole epochs."""
        per_epoch = -(-self.workload.rows // self.config.batch_size)  # its last batch may be smaller
        epochs = -(-steps // per_epoch)
        for _ in range(epochs):
            self.model.partial_fit(self.x, self.y)
        return epochs * per_epoch

    def versions(self) -> dict[str, str]:
        """Name the library's and NumPy's."""
        return {"scikit-learn": sklearn.__version__, "numpy": np.__version__}

    def _fresh(self) -> Any:
        config = self.config
        kind = MLPRegressor if self.workload.task == "regression" else MLPClassifier
        model = kind(
            config.hidden_units,
            activation=ACTIVATIONS[config.activations[0]],
            solver=config.optimizer,
            alpha=config.l2,
            epsilon=EPS,
            batch_size=config.batch_size,
            learning_rate_init=config.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
        )
        size = config.batch_size
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.partial_fit(self.x[:size], self.y[:size], **self.classes)
        for index, layer in enumerate(initial_layers(self.workload, config)):
            model.coefs_[index] = layer["weight"]
            model.intercepts_[index] = layer["bias"]
        del model._optimizer  # which still holds the parameters that were drawn: a new one is made
        return model
