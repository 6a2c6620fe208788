"""Real training runs, watched by the monitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.datasets import load_digits, make_blobs, make_circles

from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.training import describe, train
from nnlab.health.events import EventKind, Severity
from nnlab.health.facts import describe_data
from nnlab.health.monitor import Monitor

if TYPE_CHECKING:
    from nnlab.health.events import AlertEvent

QUIZ: dict[str, Any] = {
    "hidden_units": [128, 64, 32, 16, 8],
    "activation": "sigmoid",
    "initializer": "glorot_normal",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "batch_size": 32,
    "epochs": 20,
}


@dataclass(frozen=True)
class Watched:
    """A finished run: its events and the headline metric at the end."""

    events: list[AlertEvent]
    metric: float

    def last(self, check: str) -> AlertEvent:
        return [event for event in self.events if event.check == check][-1]

    def alarms_at_end(self) -> list[str]:
        """Checks whose alert is open at warning or critical when the run ends."""
        last = {event.check: event for event in self.events}
        return [
            check
            for check, event in last.items()
            if event.kind is not EventKind.RESOLVE and event.severity is not Severity.INFO
        ]


def watch(values: dict[str, Any], problem: Problem) -> Watched:
    config = TrainingConfig.from_dict(values)
    info = describe(config, problem)
    monitor = Monitor(info, config.to_dict(), facts=describe_data(problem))
    events: list[AlertEvent] = monitor.start()
    metric = float("nan")
    for records in train(config, problem):
        events += monitor.observe(records)
        for evaluation in records.evaluations:
            metric = evaluation.metrics[info.headline]
    return Watched(events + monitor.close(), metric)


def build_problem(task: str, x: Any, y: Any, seed: int, outputs: int) -> Problem:
    order = np.random.default_rng(seed).permutation(len(x))
    held_out = len(x) // 5
    val, fit = order[:held_out], order[held_out:]
    x = np.asarray(x, dtype=np.float32)
    return Problem(task, x[fit], y[fit], x[val], y[val], outputs=outputs)


def build_digits(seed: int = 0) -> Problem:
    x, y = load_digits(return_X_y=True)
    return build_problem("multiclass", x / 16, y.astype(np.int64), seed, 10)


def build_circle(seed: int = 0) -> Problem:
    x, y = make_circles(500, noise=0.05, factor=0.4, random_state=seed)
    return build_problem("binary", 5 * x, y.astype(np.int64), seed, 1)


def build_blob(seed: int = 0) -> Problem:
    x, y = make_blobs(1000, centers=3, cluster_std=2.0, random_state=2)
    return build_problem("multiclass", x, y.astype(np.int64), seed, 3)


def build_plane(seed: int = 0) -> Problem:
    x = np.random.default_rng(seed).uniform(-6, 6, (500, 2))
    y = (x.sum(axis=1, keepdims=True) / 10).astype(np.float32)
    return build_problem("regression", x, y, seed, 1)
