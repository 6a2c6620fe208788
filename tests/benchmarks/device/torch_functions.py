"""torch.compile of a whole step on a GPU, with torch.func.vmap for members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tests.benchmarks.engine.contender import Unable
from tests.benchmarks.engine.contenders.torch_functions import TorchFunctions
from tests.benchmarks.engine.workloads import Workload, our_order

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OnDevice(TorchFunctions):
    """What TorchFunctions does on a CPU."""

    def __init__(self, workload: Workload, option: str) -> None:
        if not torch.cuda.is_available():
            raise Unable("PyTorch finds no GPU")
        torch.set_default_device("cuda")
        super().__init__(workload, option)
        self.x, self.y, self.rates = self.x.cuda(), self.y.cuda(), self.rates.cuda()

    def _fresh(self) -> dict[str, Any]:
        state = super()._fresh()
        return dict(torch.utils._pytree.tree_map(lambda tensor: tensor.cuda(), state))

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew."""
        state, found = self._fresh(), []
        for step in range(steps):
            epoch, index = divmod(step, self.workload.steps_per_epoch)
            if index == 0:
                orders = np.stack([our_order(self.workload, config, epoch) for config in self.configs])
                x, y = self._permuted(torch.from_numpy(orders).cuda())
            found.append(self._one(state, x, y, step, drops=False))
        return np.asarray(torch.stack(found, dim=-1).cpu())

    def run(self, steps: int) -> int:
        """Train on."""
        found, drops = [], any(self.config.dropouts)
        for _ in range(steps):
            if self.count % self.workload.steps_per_epoch == 0:
                orders = torch.rand(self.workload.members, self.workload.rows).argsort(dim=1)
                self.x_epoch, self.y_epoch = self._permuted(orders)
            found.append(self._one(self.state, self.x_epoch, self.y_epoch, self.count, drops=drops))
            self.count += 1
        torch.stack(found, dim=-1).cpu()
        return steps
