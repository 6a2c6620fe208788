"""TheDeepChecker: every tenth step, with the defaults of its settings.

Known differences: its buffer of ten batches is one batch here, its F test of the activations' deviation the
bounds alone; the first loss is far from ln C where it differs by a tenth; its checks before training are left
out, but for that.

Source: Ben Braiek and Khomh, arXiv 2204.00694; ``thedeepchecker/thedeepchecker``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.health.peers.firing import fallen, fired, streak

if TYPE_CHECKING:
    from tests.benchmarks.health.alarms import Alarm
    from tests.benchmarks.health.probe import Probe

EVERY = 10
HALF = 0.5
DEVIATIONS = 0.5, 2.0
MANY_SMALL = 0.95
HUGE_WEIGHTS, HUGE_GRADIENT, SMALL_GRADIENT = 1e8, 1e6, 1e-6
HALVED, GREW, DOUBLED = 4, 4, 5
FALL, CHECKS = 0.05, 5
INITIAL_LOSS = 0.1


def replay(probe: Probe, uniform_loss: float | None) -> list[Alarm]:
    """Say which checks would have failed.

    Args:
        uniform_loss: ln of the number of classes; None for a regression.
    """
    kept = np.flatnonzero((probe.at % EVERY == 0) & (probe.at > EVERY))
    steps, t = probe.at[kept], {name: value[kept] for name, value in probe.tensors.items()}
    relu, hidden = np.array(probe.relu), slice(0, -1)
    with np.errstate(all="ignore"):
        scale = np.log10(t["u_mean"] / t["w_mean"])
        deviation = t["a_deviation"][:, hidden]
        rules = {
            "dead layer": (t["silent_units"][:, relu] > HALF).any(axis=1),
            "saturated layer": (t["saturated"][:, hidden] > HALF).any(axis=1),
            "activation range": ((deviation < DEVIATIONS[0]) | (deviation > DEVIATIONS[1])).any(axis=1),
            "dead weights": (t["w_small"] > MANY_SMALL).any(axis=1),
            "diverging weights": (t["w_mean"] > HUGE_WEIGHTS).any(axis=1)
            | _any(t["w_mean"], _doubled, DOUBLED),
            "vanishing gradient": (t["g_mean"] < SMALL_GRADIENT).any(axis=1)
            | _any(t["g_mean"], _halved, HALVED),
            "exploding gradient": (t["g_mean"] > HUGE_GRADIENT).any(axis=1)
            | _any(t["g_mean"], _doubled, GREW),
            "update scale": ((scale > -1) | (scale < -4)).any(axis=1),
            "loss stagnates": streak(~fallen(probe.losses[steps - 1], FALL, 1), CHECKS),
            "not a number": ~t["finite"].astype(bool).all(axis=1),
        }
    return fired(steps, rules) + _start(probe, uniform_loss)


def _any(values: Any, changed: Any, length: int) -> Any:
    columns = [streak(changed(values[:, layer]), length) for layer in range(values.shape[1])]
    return np.any(columns, axis=0)


def _doubled(values: Any) -> Any:
    return values >= 2 * np.concatenate([[np.inf], values[:-1]])


def _halved(values: Any) -> Any:
    return values <= np.concatenate([[-np.inf], values[:-1]]) / 2


def _start(probe: Probe, uniform_loss: float | None) -> list[Alarm]:
    if uniform_loss is None:
        return []
    far = abs(probe.losses[0] - uniform_loss) > INITIAL_LOSS * uniform_loss
    return fired(np.array([1]), {"initial loss": np.array([far])})
