"""What is trained on a GPU, and our contender."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.device.cupy_backend import available, why_missing
from nnlab.engine.device.population import DevicePopulation
from tests.benchmarks.engine.contender import Unable
from tests.benchmarks.engine.workloads import W1, W3, W5, Workload

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORKLOADS = {
    workload.name: workload
    for workload in (
        *(
            replace(one, name=f"{one.name}x{members}", members=members, target=5.0)
            for one in (W1, W3)
            for members in (128, 1024)
        ),
        replace(W5, target=1.0),
    )
}


class Ours:
    """A population of the cupy tier, its records read as they come."""

    def __init__(self, workload: Workload, option: str) -> None:
        if not available():
            raise Unable(why_missing())
        self.workload, self.problem = workload, workload.problem()
        self.members = DevicePopulation(workload.configs(), self.problem)

    def check(self, steps: int) -> NDArray[np.floating]:
        """Train anew."""
        configs = [replace(config, dropout=0.0, steps=steps) for config in self.workload.configs()]
        found: list[list[float]] = [[] for _ in configs]
        for index, records in DevicePopulation(configs, self.problem):
            found[index].extend(records.losses)
        return np.array(found)

    def run(self, steps: int) -> float:
        """Train on, until all members together have done their steps."""
        wanted, done = steps * self.workload.members, 0
        while done < wanted:
            done += len(next(self.members)[1].losses)
        return done / self.workload.members

    def versions(self) -> dict[str, str]:
        """Name CuPy's."""
        import cupy  # noqa: PLC0415

        return {"cupy": cupy.__version__}
