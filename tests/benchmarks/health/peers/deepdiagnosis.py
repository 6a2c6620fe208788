"""DeepDiagnosis: the first batch of every epoch.

Known differences: dead nodes are looked for in ReLU layers, saturation in hidden ones, unchanged means among
weights; a tensor is 0 where all of it is (``all_zero``).

Source: Wardat et al., ICSE 2022, ``DeepDiagnosis/ICSE2022``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.peers.firing import fired, streak

if TYPE_CHECKING:
    from tests.benchmarks.health.alarms import Alarm
    from tests.benchmarks.health.probe import Probe

ZEROS, LARGE, SMALL_GRADIENT = 0.7, 0.5, 1e-7
SAME_TENSOR, SAME_ACCURACY = 5, 20


def replay(probe: Probe, labels: tuple[float, float]) -> list[Alarm]:
    """Say which symptoms it would have reported.

    Args:
        labels: the least and the largest target.
    """
    firsts = probe.firsts()
    steps, t = probe.at[firsts], {name: value[firsts] for name, value in probe.tensors.items()}
    last, fifth = np.arange(len(firsts)) == len(firsts) - 1, np.arange(len(firsts)) % 5 == 4
    relu = np.array(probe.relu)
    rules = {
        "not a number": ~(t["finite"].astype(bool) & t["a_finite"].astype(bool)).all(axis=1),
        "all zero": all_zero(t),
        "dead nodes": last & (t["a_zero"][:, relu] >= ZEROS).any(axis=1),
        "saturated": fifth & (t["z_large"][:, :-1] > LARGE).any(axis=1),
        "vanishing gradient": (t["g_mean"] < SMALL_GRADIENT).any(axis=1),
        "unchanged weights": streak(_same(t["w_average"]), SAME_TENSOR - 1),
        "out of range": (np.arange(len(firsts)) == 0)
        & ((t["answer_low"][:, 0] < labels[0]) | (t["answer_high"][:, 0] > labels[1])),
    }
    accuracy = probe.epochs["train_accuracy"]
    same = streak(np.diff(accuracy, prepend=np.nan) == 0, SAME_ACCURACY - 1)
    epochs = probe.epoch_steps * np.arange(1, len(accuracy) + 1)
    return fired(steps, rules) + fired(epochs, {"accuracy unchanged": same})


def all_zero(tensors: dict[str, Any]) -> Any:
    """Say where an activation, a gradient or the weights of a layer are 0.

    The rule is a mean of exactly 0, which rounding gives to the gradients of any softmax now and then; read
    so, it would shout at every network.
    """
    return np.any([(tensors[name] == 0).any(axis=1) for name in ("a_size", "g_mean", "w_mean")], axis=0)


def _same(means: Any) -> Any:
    return (np.diff(means, axis=0, prepend=np.nan) == 0).any(axis=1)
