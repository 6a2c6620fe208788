"""DeepLocalize: every batch, then the loss of every epoch.

Known differences: a tensor is 0 where all of it is (``deepdiagnosis.all_zero``); a loss does not improve
where an epoch's is not below that of the epoch before.

Source: Wardat et al., ICSE 2021, arXiv 2103.03376.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.health.peers.deepdiagnosis import all_zero
from tests.benchmarks.health.peers.firing import fired

if TYPE_CHECKING:
    from tests.benchmarks.health.alarms import Alarm
    from tests.benchmarks.health.probe import Probe


def replay(probe: Probe) -> list[Alarm]:
    """Say what it would have stopped at."""
    t, losses = probe.tensors, probe.epochs["train_loss"]
    rules = {
        "not a number": ~(t["finite"].astype(bool) & t["a_finite"].astype(bool)).all(axis=1),
        "all zero": all_zero(t),
    }
    worse = np.concatenate([[False], np.diff(losses) >= 0])
    epochs = probe.epoch_steps * np.arange(1, len(losses) + 1)
    return fired(probe.at, rules) + fired(epochs, {"loss not improving": worse})
