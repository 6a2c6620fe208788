"""AutoTrainer's monitor, every three epochs.

Known differences: the first batch of the next epoch stands for its first batch of the set; a loss that is no
number counts as exploding without NaN among the weights, since our runs stop before they get there; local
maxima and minima are strict; without accuracy, as in regressions, nothing but that is judged. What TDSC 2024
adds of the answers' sums, of large layer outputs and of the loss's name is left out.

Source: Zhang et al., ICSE 2021, and TDSC 2024, doi 10.1109/tdsc.2024.3450951.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.alarms import Alarm

if TYPE_CHECKING:
    from tests.benchmarks.health.probe import Probe

EVERY = 3
GOOD = 0.6  # accuracy
LEAST_GAIN = 0.01
MANY_ZEROS = 0.7
RATIO_EXPLODES, RATIO_VANISHES, SMALL_NORM = 70.0, 1e-3, 1e-4
HUGE_LOSS = 1e3
SWING, SWINGS = 0.03, 0.2
WAIT = 0.3


def replay(probe: Probe, planned: int) -> list[Alarm]:
    """Say what it would have reported, once for each problem.

    Args:
        planned: epochs of the run, had it not ended early.
    """
    found: dict[str, int] = {}
    total = len(probe.epochs["train_loss"])
    seen: set[str] = set()
    for epoch in range(1, total + 1):
        if _is_broken(probe, epoch):
            found.setdefault("exploding", epoch)
        if epoch % EVERY:
            continue
        seen |= _symptoms(probe, epoch)
        if epoch < WAIT * planned - EVERY:
            continue
        problem = _problem(probe, epoch, seen)
        if problem:
            found.setdefault(problem, epoch)
        if _oscillates(probe.epochs["train_accuracy"][:epoch]):
            found.setdefault("oscillating", epoch)
    return [Alarm(rule, epoch * probe.epoch_steps) for rule, epoch in found.items()]


def _is_broken(probe: Probe, epoch: int) -> bool:
    look = probe.look(epoch * probe.epoch_steps)
    losses = probe.epochs["train_loss"][epoch - 1], probe.epochs["val_loss"][epoch - 1]
    is_nan = not probe.tensors["finite"][look].all()
    return not all(np.isfinite(losses)) or (max(losses) >= HUGE_LOSS and is_nan)


def _symptoms(probe: Probe, epoch: int) -> set[str]:
    look = probe.look(epoch * probe.epoch_steps + 1)
    norms, counts = probe.tensors["g_norm"][look], probe.tensors["g_count"][look]
    zeros = (probe.tensors["g_zero"][look] * counts).sum() / counts.sum()
    with np.errstate(all="ignore"):
        ratio = norms[0] / norms[-1]
    told = {"dying": zeros >= MANY_ZEROS, "exploding": ratio > RATIO_EXPLODES,
            "vanishing": ratio < RATIO_VANISHES and norms[0] < SMALL_NORM}  # fmt: skip
    return {name for name, holds in told.items() if holds}


def _problem(probe: Probe, epoch: int, seen: set[str]) -> str:
    train, held = (probe.epochs[name][:epoch] for name in ("train_accuracy", "val_accuracy"))
    if np.isnan(train).all():
        return ""
    bad = np.nanmax(held) < GOOD and np.nanmax(train) < GOOD
    slow = _gain(held) < LEAST_GAIN and _gain(train) < LEAST_GAIN
    if not (bad or slow):
        return ""
    named = next((name for name in ("dying", "exploding", "vanishing") if name in seen), "")
    return named or ("slow" if bad and slow else "")


def _gain(values: Any) -> float:
    return float(np.nanmax(np.diff(values), initial=0.0))


def _oscillates(accuracy: Any) -> bool:
    """Count pairs of local maxima and minima, in order, that are far enough apart."""
    middle, before, after = accuracy[1:-1], accuracy[:-2], accuracy[2:]
    highs = middle[(middle > before) & (middle > after)]
    lows = middle[(middle < before) & (middle < after)]
    pairs = min(len(highs), len(lows))
    return int((highs[:pairs] - lows[:pairs] >= SWING).sum()) >= max(1.0, SWINGS * len(accuracy))
