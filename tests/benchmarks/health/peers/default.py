"""DEFault's rule of vanishing gradients: the mean over all entries of all layers, once an epoch.

Known difference: there is only this rule, and that of numbers that are none; the classifiers that it trains
on its features are left out.

Source: ``SigmaJahan/DEFault-DNN-Debugging``, its custom callback, without the learning rate that it changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.health.peers.firing import fired

if TYPE_CHECKING:
    from tests.benchmarks.health.alarms import Alarm
    from tests.benchmarks.health.probe import Probe

SMALL = 1e-4


def replay(probe: Probe) -> list[Alarm]:
    """Say where it would have seen vanishing gradients, or numbers that are none."""
    firsts = probe.firsts()
    t = {name: value[firsts] for name, value in probe.tensors.items()}
    pooled = t["g_sum"].sum(axis=1) / t["g_count"].sum(axis=1)
    rules = {"vanishing gradient": pooled < SMALL, "not a number": ~np.isfinite(pooled)}
    return fired(probe.at[firsts], rules)
