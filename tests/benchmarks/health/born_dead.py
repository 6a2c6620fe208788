"""Suite E: narrow, deep ReLU networks, of which many have a silent layer before the first step."""

from __future__ import annotations

from tests.benchmarks.health.cases import Case, Rule

WIDTHS = (2, 3, 4, 5, 8)
LAYERS = (5, 10, 20)
SEEDS = 40


def cases() -> list[Case]:
    """Give each width at each depth; a run is sick where a layer is silent on all training rows."""
    return [_case(width, layers) for layers in LAYERS for width in WIDTHS]


def _case(width: int, layers: int) -> Case:
    return Case(
        id=f"{layers - 1} hidden layers of {width}",
        suite="E",
        training={
            "hidden_units": [width] * (layers - 1),
            "activation": "relu",
            "initializer": "he_normal",
            "learning_rate": 0.005,
            "batch_size": 32,
            "epochs": 15,
        },
        data={"dataset": "at_circle", "recipe": "raw"},
        rule=Rule(born_dead=True, statistic="late", healthy_from=0.8),
        seeds=SEEDS,
        problem="born dead",
        accepts=("born_dead", "dead_layer"),
    )
