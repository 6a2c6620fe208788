"""Cases that ask for advice: configs, what is known of their data, and what their training showed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.config import TrainingConfig
from nnlab.engine.heads import loss_name
from nnlab.health.advice import Case, advise
from nnlab.health.facts import describe_data
from tests.health.builders import build_info
from tests.health.problems import build_columns, build_problem, build_regression

if TYPE_CHECKING:
    from nnlab.health.facts import DataFacts

QUIZ: dict[str, Any] = TrainingConfig(
    hidden_units=(128, 64, 32, 16, 8),
    activation="sigmoid",
    initializer="glorot_normal",
    optimizer="sgd",
    learning_rate=0.05,
).to_dict()
PENALISED_RELU: dict[str, Any] = TrainingConfig(
    hidden_units=(64,) * 5,
    activation=("relu", "relu6", "exponential", "tanh", "linear"),
    dropout=(0.1, 0.2, 0.3, 0.4, 0.9),
    initializer="zeros",
    output_activation="sigmoid",
    loss="mse",
    l1=1e-3,
    learning_rate=1e-4,
    steps=500,
).to_dict() | {"data": {"dataset": "wine", "recipe": "raw"}}


def build_case(config: dict[str, Any], *, task: str = "multiclass", rows: int = 1600, **changes: Any) -> Case:
    known = TrainingConfig.from_dict({name: value for name, value in config.items() if name != "data"})
    output = known.output_activation
    usual = {"regression": "linear", "multiclass": "softmax"}.get(task, "sigmoid")
    outputs = 3 if task == "multiclass" else 1
    info = build_info(
        task=task,
        widths=(*known.hidden_units, outputs),
        activations=(*known.activations, usual if output == "auto" else output),
        loss=loss_name(known, task),
        batch_size=known.batch_size,
        train_rows=rows,
        steps=changes.pop("steps", 1000),
    )
    values: dict[str, Any] = {"largest_update": 1e-3, "first_update": 1e-3}
    return Case(config=config, info=info, **values | changes)


def codes(check: str, config: dict[str, Any], **changes: Any) -> list[str]:
    return [advice.code for advice in advise(check, build_case(config, **changes))]


def of_raw(**changes: Any) -> dict[str, Any]:
    """A sane config of a dataset that is not scaled."""
    return TrainingConfig(**changes).to_dict() | {"data": {"dataset": "points.csv", "recipe": "raw"}}


def build_large_inputs() -> DataFacts:
    return describe_data(build_problem(1000 * build_columns()))


def build_large_targets() -> DataFacts:
    return describe_data(build_regression(1000 * np.random.default_rng(0).standard_normal(150)))


def build_spoilt_data() -> DataFacts:
    """A row beyond all measure, a constant column, and every row twice."""
    x = build_columns()
    x[75:] = x[:75]
    x[3, 0], x[:, 1] = 1e20, 7.0
    return describe_data(build_problem(x, np.arange(150) % 75 % 2, train_rows=100))
