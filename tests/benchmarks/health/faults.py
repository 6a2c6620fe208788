"""Suite C: healthy networks, and the same with one fault put in.

Weights from N(0, 1) are not among the faults: the engine's ``normal`` has the deviation 0.05, and none of its
initialisers draws that widely.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnlab.engine.config import MAX_BATCH
from tests.benchmarks.health.cases import Case, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = 5
PERMUTED, BEYOND = "labels permuted", "no change of a configuration mends it"
Settings = dict[str, Any]
TOO_FAST = ("nonfinite", "exploding", "divergence", "dead_layer", "dying_units", "oscillation",
            "update_ratio", "saturated")  # fmt: skip
TOO_SLOW = ("slow", "update_ratio", "plateau", "not_learning")
SHRINKING = ("vanishing", "forward_collapse", "saturated")


@dataclass(frozen=True)
class Parent:
    """A network that learns.

    Args:
        metric: what it is judged by.
        rows: training rows.
    """

    name: str
    data: Settings
    training: Settings
    task: str
    rows: int

    @property
    def metric(self) -> str:
        """Higher is better."""
        return "val_r2" if self.task == "regression" else "val_accuracy"


def net(units: list[int], activation: str, optimizer: str, rate: float, batch: int, epochs: int) -> Settings:
    """Give the training of a plain network."""
    return {"hidden_units": units, "activation": activation, "optimizer": optimizer, "learning_rate": rate,
            "batch_size": batch, "epochs": epochs}  # fmt: skip


PARENTS = (
    Parent("digits", {"dataset": "digits"}, net([64, 32], "relu", "adam", 1e-3, 32, 20), "multiclass", 1437),
    Parent("iris", {"dataset": "iris"}, net([16], "tanh", "adam", 0.01, 16, 60), "multiclass", 120),
    Parent("wine", {"dataset": "wine"}, net([16, 16], "relu", "adam", 5e-3, 16, 40), "multiclass", 142),
    Parent("breast_cancer", {"dataset": "breast_cancer"}, net([16], "elu", "momentum", 0.01, 32, 30),
           "binary", 455),
    Parent("diabetes", {"dataset": "diabetes", "standardise_target": True},
           net([16], "relu", "adam", 3e-3, 32, 40), "regression", 353),
    Parent("housing", {"dataset": "california_housing"}, net([32, 16], "relu", "adam", 3e-3, 256, 8),
           "regression", 16512),
    Parent("mnist", {"dataset": "mnist_5k"}, net([64], "relu", "adam", 1e-3, 64, 8), "multiclass", 4000),
    Parent("blob", {"dataset": "at_blob", "recipe": "raw"}, net([16] * 3, "tanh", "adam", 5e-3, 32, 40),
           "multiclass", 700),
    Parent("circle", {"dataset": "at_circle", "recipe": "raw"}, net([16, 16], "relu", "sgd", 0.1, 32, 80),
           "binary", 700),
    Parent("moons", {"dataset": "moons", "noise": 0.15}, net([16] * 6, "relu", "adam", 3e-3, 32, 60),
           "binary", 400),
)  # fmt: skip


def _rate(factor: float) -> Callable[[Parent, Settings, Settings], None]:
    def change(_parent: Parent, training: Settings, _data: Settings) -> None:
        training["learning_rate"] *= factor

    return change


def _training(**changes: Any) -> Callable[[Parent, Settings, Settings], None]:
    def change(_parent: Parent, training: Settings, _data: Settings) -> None:
        training.update(changes)

    return change


def _data(**changes: Any) -> Callable[[Parent, Settings, Settings], None]:
    def change(_parent: Parent, _training: Settings, data: Settings) -> None:
        data.update(changes)

    return change


def _swap_loss(parent: Parent, training: Settings, _data: Settings) -> None:
    """Let classes be learnt as numbers are, and numbers by the error that forgives outliers."""
    training["loss"] = "mae" if parent.task == "regression" else "mse"


def _swap_output(parent: Parent, training: Settings, _data: Settings) -> None:
    """Bound what has no bounds; give one output alone all of the share; else squash what need not be."""
    if parent.task == "regression":
        training |= {"output_activation": "sigmoid", "loss": "mse"}
    elif parent.task == "binary":
        training |= {"output_activation": "softmax", "loss": "cross_entropy"}
    else:
        training |= {"output_activation": "relu", "loss": "mse"}


def _whole_batch(parent: Parent, training: Settings, _data: Settings) -> None:
    training["batch_size"] = min(parent.rows, MAX_BATCH)


def _unscaled_inputs(_parent: Parent, _training: Settings, data: Settings) -> None:
    """Let inputs be a hundred times as large as they were; any recipe that scales them takes that away."""
    data |= {"recipe": "raw", "scaled_before": data.get("recipe", "default"), "x_factor": 100}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Args:
        accepts: checks that name it.
    """

    name: str
    change: Callable[[Parent, Settings, Settings], None]
    accepts: tuple[str, ...]

    def fits(self, parent: Parent) -> bool:
        """Whether there is something to spoil."""
        is_regression = parent.task == "regression"
        if self.name == "y x 1000":
            return is_regression
        return not (is_regression and self.name == "imbalance 50:1")


FAULTS = (
    Fault("rate x 10", _rate(10), TOO_FAST),
    Fault("rate x 100", _rate(100), TOO_FAST),
    Fault("rate x 1000", _rate(1000), TOO_FAST),
    Fault("rate x 0.01", _rate(0.01), TOO_SLOW),
    Fault("rate x 0.001", _rate(0.001), TOO_SLOW),
    Fault("sigmoid", _training(activation="sigmoid"), SHRINKING),
    Fault("linear", _training(activation="linear"), ("linear_collapse", "plateau", "not_learning")),
    Fault("exponential", _training(activation="exponential"), TOO_FAST),
    Fault("zeros", _training(initializer="zeros"), ("symmetry",)),
    Fault("ones", _training(initializer="ones"), ("symmetry",)),
    Fault("U(0.05)", _training(initializer="uniform"), (*SHRINKING, "dead_layer")),
    Fault("X x 100", _unscaled_inputs, ("unscaled_data", *TOO_FAST)),
    Fault("y x 1000", _data(y_factor=1000, standardise_target=False),
          ("unscaled_data", *TOO_FAST, "not_learning", "plateau")),
    Fault("loss swapped", _swap_loss, ("output_mismatch", "saturated")),
    Fault("output swapped", _swap_output, ("output_mismatch", "saturated", "dead_layer")),
    Fault("dropout 0.8", _training(dropout=0.8), ("dropout",)),
    Fault("L2 1", _training(l2=1.0), ("vanishing", "forward_collapse", "plateau", "not_learning",
                                      "dead_layer", "constant_prediction", "dying_units")),
    Fault("batch 1", _training(batch_size=1), TOO_FAST),
    Fault("whole batch", _whole_batch, TOO_SLOW),
    Fault("2 epochs", _training(epochs=2), TOO_SLOW),
    Fault(PERMUTED, _data(permuted=1),
          ("not_learning", "plateau", "overfitting", "constant_prediction", "class_balance")),
    Fault("imbalance 50:1", _data(imbalance=50), ("class_balance", "constant_prediction")),
)  # fmt: skip


def cases() -> list[Case]:
    """Give the parents, and each with every second fault that fits it, so that all pairs alternate."""
    found = [parent_case(parent) for parent in PARENTS]
    for row, parent in enumerate(PARENTS):
        fitting = [
            fault for column, fault in enumerate(FAULTS) if (row + column) % 2 == 0 and fault.fits(parent)
        ]
        found += [faulted(parent, fault) for fault in fitting]
    return found


def _id(parent: Parent) -> str:
    return f"parent-{parent.name}"


def parent_case(parent: Parent) -> Case:
    """Give the case of a network that learns."""
    rule = Rule(metric=parent.metric, statistic="late", reference=_id(parent), by_changes=True)
    return Case(id=_id(parent), suite="C", training=parent.training, data=parent.data, rule=rule, seeds=SEEDS)


def faulted(parent: Parent, fault: Fault) -> Case:
    """Give the case of a network with a fault put in; it is compared with the network's own."""
    training, data = copy.deepcopy(parent.training), dict(parent.data)
    fault.change(parent, training, data)
    return Case(
        id=f"{parent.name}, {fault.name}",
        suite="C",
        training=training,
        data=data,
        rule=Rule(metric=parent.metric, statistic="late", reference=_id(parent), by_changes=True),
        seeds=SEEDS,
        problem=fault.name,
        accepts=fault.accepts,
        notes={BEYOND: True} if fault.name == PERMUTED else {},
    )
