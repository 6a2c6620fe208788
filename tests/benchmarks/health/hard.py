"""Suite D: healthy networks that look odd, at which rules like to shout.

Rates that go up and down are not among them: the engine has no such schedule.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks.health.cases import Case, Rule

SEEDS = 5
Settings = dict[str, Any]
# What a plain network reaches on the set: the accuracy or R2 of a run that is healthy.
SETS: dict[str, tuple[Settings, float]] = {
    "digits": ({"dataset": "digits"}, 0.93),
    "digits raw": ({"dataset": "digits", "recipe": "raw"}, 0.93),
    "iris": ({"dataset": "iris"}, 0.86),
    "iris raw": ({"dataset": "iris", "recipe": "raw"}, 0.86),
    "wine": ({"dataset": "wine"}, 0.9),
    "cancer": ({"dataset": "breast_cancer"}, 0.92),
    "diabetes": ({"dataset": "diabetes", "standardise_target": True}, 0.3),
    "housing": ({"dataset": "california_housing"}, 0.65),
    "mnist": ({"dataset": "mnist_5k"}, 0.87),
    "blob": ({"dataset": "at_blob", "recipe": "raw"}, 0.78),
    "circle": ({"dataset": "at_circle", "recipe": "raw"}, 0.78),
    "moons": ({"dataset": "moons", "noise": 0.2}, 0.85),
    "gauss": ({"dataset": "gauss", "noise": 0.1}, 0.93),
    "unbalanced digits": ({"dataset": "digits", "imbalance": 8}, 0.6),
    "unbalanced moons": ({"dataset": "moons", "noise": 0.15, "imbalance": 8}, 0.7),
}
REGRESSIONS = ("diabetes", "housing")


def _net(units: list[int], epochs: int, rate: float = 1e-3, batch: int = 32, **more: Any) -> Settings:
    return {"hidden_units": units, "learning_rate": rate, "batch_size": batch, "epochs": epochs, **more}


CONFIGS: dict[str, tuple[str, Settings]] = {
    # Many activations are 0, and nothing is wrong with that.
    "zeros by L1": ("digits", _net([256, 128], 20, l1=3e-4)),
    "zeros by a large rate": ("digits", _net([256], 20, 0.01)),
    "zeros of ReLU6": ("mnist", _net([256], 8, activation="relu6")),
    "zeros by max norm": ("digits", _net([256, 64], 20, max_norm=1.0)),
    # Converged: gradients and updates are tiny.
    "converged": ("digits", _net([128, 64], 80, 3e-3)),
    "converged, full batch": ("wine", _net([32], 600, 0.01, batch=142)),
    "converged, sgd": ("iris", _net([16], 300, 0.1, batch=16, optimizer="sgd", activation="tanh")),
    "converged on clouds": ("gauss", _net([8], 100, 0.01)),
    # The rate goes to 0.
    "cosine to 0": ("digits", _net([64, 32], 30, 3e-3, schedule="cosine")),
    "exponential decay": ("cancer", _net([16], 60, 0.01, schedule="exponential", decay_every=50)),
    "steps down": ("blob", _net([16, 16], 60, 0.01, schedule="step", decay_rate=0.1, decay_every=400)),
    "warm-up and cosine": ("mnist", _net([64], 8, 3e-3, batch=64, schedule="cosine", warmup_steps=100)),
    # Penalties that help.
    "weight decay": ("digits", _net([64, 64], 25, optimizer="adamw", weight_decay=0.1)),
    "L2 on few rows": ("wine", _net([32, 16], 60, 3e-3, l2=1e-3)),
    "L2 on diabetes": ("diabetes", _net([16], 40, 3e-3, l2=0.01)),
    "L1 on diabetes": ("diabetes", _net([16], 40, 3e-3, l1=1e-3)),
    # Batches of few rows make everything jump.
    "batch 8": ("digits", _net([64, 32], 15, batch=8)),
    "batch 8, sgd": ("moons", _net([16, 16], 60, 0.05, batch=8, optimizer="sgd")),
    "batch 4": ("iris", _net([16], 60, 3e-3, batch=4)),
    "batch 1": ("wine", _net([16], 20, 1e-3, batch=1)),
    # Narrow and deep.
    "width 5": ("blob", _net([5, 5], 120, 0.01, activation="tanh")),
    "width 5, leaky": ("circle", _net([5, 5, 5], 200, 0.01, activation="leaky_relu")),
    "12 tanh layers": ("blob", _net([16] * 12, 60, 1e-3, activation="tanh")),
    "12 tanh layers on circles": ("circle", _net([16] * 12, 80, 1e-3, activation="tanh")),
    "10 ELU layers": ("digits", _net([32] * 10, 20, activation="elu")),
    "8 ReLU layers, normalised": ("digits", _net([32] * 8, 20, batch_norm=True)),
    # Classes of unequal size, weighted.
    "imbalance, weighted": ("unbalanced digits", _net([64], 40, class_weights=True)),
    "imbalance of two, weighted": ("unbalanced moons", _net([16, 16], 300, 3e-3, class_weights=True)),
    # Dropout: the training loss is above the validation loss.
    "dropout 0.5": ("digits", _net([256, 128], 25, dropout=0.5)),
    "dropout 0.3 on wine": ("wine", _net([64], 60, 3e-3, dropout=0.3)),
    "dropout 0.2, housing": ("housing", _net([64, 32], 40, 3e-3, batch=256, dropout=0.2)),
    # Rates at the edge: spikes that recover.
    "sgd at the edge": ("digits", _net([64, 32], 25, 0.5, optimizer="sgd")),
    "momentum at the edge": ("digits", _net([64], 25, 0.1, optimizer="momentum")),
    "Adam at the edge": ("moons", _net([16, 16], 60, 0.03)),
    "rate by plateau": ("blob", _net([16, 16], 60, 0.02, schedule="reduce_on_plateau")),
    # Inputs as they come.
    "unscaled blob": ("blob", _net([16, 16], 60, 3e-3)),
    "unscaled digits": ("digits raw", _net([64, 32], 20)),
    "unscaled iris": ("iris raw", _net([16], 80, 5e-3, batch=16)),
    # Sigmoids that get going.
    "two sigmoid layers": ("digits", _net([64, 32], 40, 3e-3, activation="sigmoid")),
    "three sigmoid layers": ("moons", _net([16, 16, 16], 200, 0.02, activation="sigmoid")),
}  # fmt: skip


def cases() -> list[Case]:
    """Give the networks; a run is healthy where it reaches what a plain network reaches on its set."""
    return [_case(name, *CONFIGS[name]) for name in CONFIGS]


def _case(name: str, dataset: str, training: Settings) -> Case:
    data, good = SETS[dataset]
    metric = "val_r2" if dataset in REGRESSIONS else "val_accuracy"
    rule = Rule(metric=metric, statistic="late", sick_below=-1.0, healthy_from=good, by_changes=True)
    return Case(id=name, suite="D", training=training, data=data, rule=rule, seeds=SEEDS)
