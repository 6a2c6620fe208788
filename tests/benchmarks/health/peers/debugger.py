"""The built-in rules of SageMaker Debugger with their defaults, on the steps that it saves.

Known differences: a tensor is unchanged where no weight of a layer changes in a step, at three saved steps
running, not from one save to the next; biases are not looked at; the loss is that of the batch.

Source: its developer guide, list of built-in rules, and the defaults of ``sagemaker-debugger-rulesconfig``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.peers.firing import fired, streak

if TYPE_CHECKING:
    from tests.benchmarks.health.alarms import Alarm
    from tests.benchmarks.health.probe import Probe

SMALL_GRADIENT, LARGE_UPDATE, SMALL_UPDATE = 1e-7, 10.0, 1e-8
FIRST, VARIANCES, LEAST_SPREAD, STILL = 10, 10.0, 1e-3, 5
LEAST_FALL, LARGEST_RISE, SPAN = 0.001, 0.05, 10
OVERFIT, GAIN = 0.1, 0.01


def replay(probe: Probe, every: int) -> list[Alarm]:
    """Say which rules would have fired, saving every so many steps."""
    kept = np.flatnonzero((probe.at - 1) % every == 0)
    steps, tensors = probe.at[kept], {name: value[kept] for name, value in probe.tensors.items()}
    relu = np.array(probe.relu)
    with np.errstate(all="ignore"):
        rules = {
            "vanishing gradient": (tensors["g_mean"] < SMALL_GRADIENT).any(axis=1),
            "exploding tensor": ~(tensors["finite"].astype(bool) & tensors["a_finite"].astype(bool)).all(
                axis=1
            ),
            "dead ReLU": (tensors["dead_units"][:, relu] > 0.5).any(axis=1),
            "saturated activation": (tensors["outside"] > 0.5).any(axis=1),
            "weight update ratio": _outside(tensors["u_ratio"]),
            "poor initialisation": _poor(tensors, steps, probe.losses, relu),
            "unchanged tensor": streak(tensors["w_unchanged"].astype(bool).any(axis=1), 3),
            "loss not decreasing": _still(probe.losses[steps - 1], steps),
            "all zero": (tensors["a_zero"][:, relu] == 1).any(axis=1) | (tensors["g_zero"] == 1).any(axis=1),
        }
    return fired(steps, rules) + _of_epochs(probe)


def _outside(ratio: Any) -> Any:
    return ((ratio > LARGE_UPDATE) | (ratio < SMALL_UPDATE)).any(axis=1)


def _poor(tensors: dict[str, Any], steps: Any, losses: Any, relu: Any) -> Any:
    variances = tensors["z_variance"][:, relu]
    uneven = np.zeros(len(steps), np.bool_)
    if variances.shape[1] > 1:
        uneven = variances.max(axis=1) / variances.min(axis=1) > VARIANCES
    flat = tensors["g_spread"].min(axis=1) < LEAST_SPREAD
    still = streak(np.diff(losses[steps - 1], prepend=np.inf) >= 0, STILL)
    return (steps <= FIRST) & (uneven | flat | still)


def _still(losses: Any, steps: Any) -> Any:
    """Compare the loss with that of at least ten steps before, on the steps that were saved."""
    before = np.searchsorted(steps, steps - SPAN, side="right") - 1
    known = before >= 0
    old = losses[np.maximum(before, 0)]
    change = (old - losses) / np.abs(old)
    return known & ((change < LEAST_FALL) | (change < -LARGEST_RISE))


def _of_epochs(probe: Probe) -> list[Alarm]:
    train, held = probe.epochs["train_loss"], probe.epochs["val_loss"]
    steps = probe.epoch_steps * np.arange(1, len(train) + 1)
    over = np.cumsum((held - train) / train > OVERFIT) > 1
    trained = streak(_no_gain(train), 5) | streak(_no_gain(held), 10)
    return fired(steps, {"overfit": over, "overtraining": trained})


def _no_gain(losses: Any) -> Any:
    best = np.fmin.accumulate(losses)
    return losses > np.concatenate([[np.inf], best[:-1]]) - GAIN
