"""JAX's scan on a GPU, with vmap for members; it orders the rows on the device, as ours does."""

from __future__ import annotations

import jax
import numpy as np

from tests.benchmarks.engine.contender import Unable
from tests.benchmarks.engine.contenders.jax_scan import JaxScan
from tests.benchmarks.engine.workloads import Workload


class OnDevice(JaxScan):
    """What JaxScan does on a CPU."""

    def __init__(self, workload: Workload, option: str) -> None:
        if jax.default_backend() != "gpu":
            raise Unable(f"JAX works on the {jax.default_backend()}")
        super().__init__(workload, option)

    def run(self, steps: int) -> int:
        """Train on."""
        one, members, epochs = self.workload, self.workload.members, self.epochs_a_call
        used = one.steps_per_epoch * self.config.batch_size
        shape = (members, epochs, one.steps_per_epoch, self.config.batch_size)
        calls = -(-steps // (epochs * one.steps_per_epoch))
        for call in range(calls):
            keys = jax.random.split(jax.random.key(call), members * epochs)
            orders = jax.vmap(lambda key: jax.random.permutation(key, one.rows)[:used])(keys)
            orders = orders.reshape(shape if members > 1 else shape[1:])
            self.state, losses = self.train(self.state, self.rates, self.x, self.y, orders)
            np.asarray(losses)
        return calls * epochs * one.steps_per_epoch
