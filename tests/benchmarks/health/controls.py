"""Five sigmoid layers that cannot learn, and the same networks with ReLU and tanh, which do."""

from __future__ import annotations

from tests.benchmarks.health.cases import Case, Rule

SETS = {"quiz_digits": (0.2, 0.9), "at_blob": (0.45, 0.75)}
HEALTHY = {"relu": ("he_uniform", "he_normal"), "tanh": ("glorot_uniform",)}
EPOCHS = 20


def quiz() -> list[Case]:
    """Give the networks whose lower layers get no gradient."""
    return [_case("quiz", name, "sigmoid", "glorot_uniform") for name in SETS]


def controls() -> list[Case]:
    """Give the networks that differ from them in their activation."""
    return [
        _case("controls", name, activation, initializer)
        for name in SETS
        for activation, initializers in HEALTHY.items()
        for initializer in initializers
    ]


def _case(suite: str, dataset: str, activation: str, initializer: str) -> Case:
    sick_below, healthy_from = SETS[dataset]
    is_sick = suite == "quiz"
    return Case(
        id=f"{suite}-{dataset}-{activation}-{initializer}",
        suite=suite,
        training={
            "hidden_units": [128, 64, 32, 16, 8],
            "activation": activation,
            "initializer": initializer,
            "optimizer": "sgd",
            "learning_rate": 0.05,
            "batch_size": 32,
            "epochs": EPOCHS,
        },
        data={"dataset": dataset, "recipe": "raw"},
        rule=Rule(sick_below=sick_below, healthy_from=healthy_from),
        seeds=5,
        problem="vanishing_gradient" if is_sick else "",
        accepts=("vanishing", "forward_collapse") if is_sick else (),
    )
