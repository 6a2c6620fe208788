"""What happened inside a run, measured on its weights at the start and at the end; no detector is asked."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.network import Network, Pass, with_ones

if TYPE_CHECKING:
    from pathlib import Path

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem

FROZEN = 1e-3


@dataclass(frozen=True)
class Mechanism:
    """Hidden layers of a run's end, counted from 0.

    Args:
        dead: ReLU layers that are 0 for all training rows.
        frozen: layers whose weights have moved by less than a thousandth of their norm.
    """

    dead: tuple[int, ...]
    frozen: tuple[int, ...]


def measured(config: TrainingConfig, problem: Problem, network: Network) -> Mechanism:
    """Look at a network that has been trained; numbers that are none make no layer dead or frozen."""
    start = Network(config, problem.x_train.shape[1], problem.outputs)
    return Mechanism(silent_layers(network, problem), _frozen(start, network))


def silent_layers(network: Network, problem: Problem) -> tuple[int, ...]:
    """Name the hidden ReLU layers that are 0 for all training rows."""
    passed = Pass(network, len(problem.x_train), training=False)
    with np.errstate(all="ignore"):
        passed.forward(with_ones(problem.x_train, network.parameters.dtype.name).T)
    layers = zip(network.layers, passed.traces, strict=False)
    return tuple(
        place
        for place, (layer, trace) in enumerate(layers)
        if layer.activation.can_die and (trace.a == 0).all()
    )


def _frozen(start: Network, end: Network) -> tuple[int, ...]:
    moved = []
    with np.errstate(all="ignore"):
        for before, after in zip(start.layers[:-1], end.layers[:-1], strict=True):
            first, last = (layer.weight.astype(np.float64) for layer in (before, after))
            moved.append(np.linalg.norm(last - first) / np.linalg.norm(first))
    return tuple(place for place, share in enumerate(moved) if share < FROZEN)


def save(path: Path, found: Mechanism) -> None:
    """Write what ``load`` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps(asdict(found)), encoding="utf-8")
    unfinished.replace(path)


def load(path: Path) -> Mechanism:
    """Read a file of ``save``."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return Mechanism(tuple(told["dead"]), tuple(told["frozen"]))
