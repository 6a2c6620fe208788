"""UMLAUT's heuristics on a configuration and on the losses of its epochs.

Known differences: softmax is missed in problems of several classes alone; a loss that is no number is a
message of its own; what it says of images and of convolutions does not apply.

Source: Schoop et al., CHI 2021, ``BerkeleyHCI/umlaut``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.alarms import Alarm
from tests.benchmarks.health.peers.firing import fired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.engine.problem import Problem
    from nnlab.engine.records import RunInfo
    from tests.benchmarks.health.probe import Probe

RATES, DROPOUT = (1e-7, 0.01), 0.5
TOO_GOOD, GAP, AFTER = 0.95, 0.05, 3


def replay(probe: Probe, config: Mapping[str, Any], info: RunInfo, problem: Problem) -> list[Alarm]:
    """Say which of its messages would have come."""
    hidden = info.activations[:-1]
    static = {
        "learning rate": not RATES[0] <= config["learning_rate"] <= RATES[1],
        "input range": bool((np.abs(problem.x_train) > 1).any()),
        "dropout": float(np.max(config["dropout"])) > DROPOUT,
        "missing softmax": info.task == "multiclass" and info.activations[-1] != "softmax",
        "missing activation": "linear" in hidden,
    }
    return [Alarm(rule, 1) for rule, holds in static.items() if holds] + _of_epochs(probe)


def _of_epochs(probe: Probe) -> list[Alarm]:
    e = probe.epochs
    count = np.arange(1, len(e["train_loss"]) + 1)
    rising = np.diff(e["val_loss"], prepend=np.inf) > 0
    falling = np.diff(e["train_loss"], prepend=np.inf) < 0
    good = (e["val_accuracy"] > TOO_GOOD) | (e["val_accuracy"] - e["train_accuracy"] > GAP)
    rules = {"overfitting": rising & falling, "accuracy too high": (count > AFTER) & good,
             "not a number": ~np.isfinite(e["train_loss"])}  # fmt: skip
    return fired(probe.epoch_steps * count, rules)
