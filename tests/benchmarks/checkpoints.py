"""What checkpoints cost: ``python -m tests.benchmarks.checkpoints [sqlite | postgresql]``.

The same runs are trained with and without checkpoints, in turns. A run of two minutes with a checkpoint every
30 s is scaled down by ten: the share of the time that they may take stays.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

ROUNDS = 3
SECONDS = 3.0  # between two checkpoints, for the 30 of an installation
HOUSING: dict[str, Any] = {"dataset": "california_housing", "recipe": "lab6"}
WORKLOADS: dict[str, dict[str, Any]] = {
    "one network of the course": {
        "training": {"hidden_units": [100, 50, 20], "batch_size": 100, "steps": 40_000},
        "seeds": 1,
    },
    "128 small networks": {
        "training": {"hidden_units": [16, 8], "batch_size": 32, "steps": 2_500},
        "seeds": 128,
    },
}
SIZES = {
    "tiny": [8],
    "course": [100, 50, 20],
    "wide": [512, 512],
    "large": [1400, 1400],
    "huge": [2800, 2800],
}


def main(database: str = "sqlite") -> None:
    """Print two tables."""
    with _prepared(database):
        print(f"{database}\n")
        print("| workload | CPU with, s | without, s | overhead | share, counted | written | bytes |")
        print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
        for name, workload in WORKLOADS.items():
            print(f"| {name} | {_compared(workload)} |", flush=True)
        print("\n| network | bytes | take, ms | write, ms | read, ms | zlib 1: size, time |")
        print("| --- | --- | --- | --- | --- | --- |", flush=True)
        for name, units in SIZES.items():
            print(f"| {name} {units} | {_sized(units)} |", flush=True)


def _compared(workload: Mapping[str, Any]) -> str:
    """Compare the times of the processor: other work on the machine changes the clock's more than we do."""
    from django.conf import settings  # noqa: PLC0415 - it is told where its database is first

    from runs.models import Checkpoint  # noqa: PLC0415

    times: dict[float, list[float]] = {SECONDS: [], 1e9: []}
    shares, numbers, size = [], [], 0
    for _ in range(ROUNDS):
        for every, found in times.items():
            settings.CHECKPOINT_SECONDS = every
            cpu, share = _trained(workload)
            found.append(cpu)
            if every == SECONDS:
                kept = Checkpoint.objects.order_by("-pk").values_list("number", "size")[: workload["seeds"]]
                numbers.append(sum(number for number, _ in kept))
                shares.append(share)
                size = kept[0][1]
    with_them, without = (median(found) for found in times.values())
    overhead = median(one / other - 1 for one, other in zip(*times.values(), strict=True))
    cost = f"{with_them:.2f} | {without:.2f} | {overhead:+.1%} | {median(shares):.2%}"
    return f"{cost} | {median(numbers)} | {size:,}"


def _trained(workload: Mapping[str, Any]) -> tuple[float, float]:
    """Give the seconds of the processor that all runs of a workload take, and the share of checkpoints."""
    from runs import submission  # noqa: PLC0415
    from runs.training import attempt, buckets, company  # noqa: PLC0415

    described = {"project": "benchmark", "name": "checkpoints", "data": HOUSING, **workload}
    submission.submit(submission.parse(described), None)
    rhythms: list[company._Rhythm] = []

    class Noted(company._Rhythm):
        def __init__(self) -> None:
            super().__init__()
            rhythms.append(self)

    usual, company._Rhythm = company._Rhythm, Noted  # type: ignore[misc]
    cpu = wall = 0.0
    while claims := buckets.claim_next("cpu", "benchmark:1"):
        began = perf_counter(), process_time()
        attempt.train_claimed(claims)
        wall, cpu = wall + perf_counter() - began[0], cpu + process_time() - began[1]
    company._Rhythm = usual  # type: ignore[misc]
    return cpu, sum(rhythm.spent for rhythm in rhythms) / wall


def _sized(units: list[int]) -> str:
    from django.db import transaction  # noqa: PLC0415

    from nnlab.data.config import DataConfig  # noqa: PLC0415
    from nnlab.data.preparation import prepare  # noqa: PLC0415
    from nnlab.engine.config import TrainingConfig  # noqa: PLC0415
    from nnlab.engine.training import Training  # noqa: PLC0415
    from runs.models import Checkpoint, Run  # noqa: PLC0415
    from runs.store.checkpoints import Keeper, State, data_of  # noqa: PLC0415
    from runs.training.attempt import problem_of  # noqa: PLC0415

    config = TrainingConfig(hidden_units=tuple(units), batch_size=100, steps=1_000_000)
    run = Training(config, problem_of(prepare(DataConfig(**HOUSING), Path())))
    for _ in range(4):
        next(run)
    data = run.checkpoint()
    keeper = Keeper(Run.objects.order_by("-pk").values_list("pk", flat=True)[0])
    keeper.begin(anew=True)

    def write() -> None:
        keeper.take(State(1, data, {}, {}, ""))
        keeper.write_ahead(lambda: None)
        with transaction.atomic():
            keeper.complete()
        keeper.written()

    took, written = _milliseconds(run.checkpoint), _milliseconds(write)
    kept = Checkpoint.objects.get(number__gte=2, run=keeper._run_id)
    read = _milliseconds(lambda: data_of(kept))
    packed = len(zlib.compress(data, 1)) / len(data)
    packing = _milliseconds(lambda: zlib.compress(data, 1))
    return f"{len(data):,} | {took:.1f} | {written:.1f} | {read:.1f} | {packed:.0%}, {packing:.0f} ms"


def _milliseconds(act: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        began = perf_counter()
        act()
        times.append(perf_counter() - began)
    return median(times) * 1000


@contextmanager
def _prepared(database: str) -> Iterator[None]:
    """Give an empty database in a folder of its own."""
    from tests.services.stores import postgresql  # noqa: PLC0415

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nnlab-benchmark-")))
        folder.chmod(0o755)
        os.environ |= {"NNLAB_HOME": str(folder), "DJANGO_SETTINGS_MODULE": "nnlab.settings"}
        os.environ["NNLAB_LOG_LEVEL"] = "ERROR"
        if database == "postgresql":
            os.environ["DATABASE_URL"] = stack.enter_context(postgresql(folder / "postgres"))
        import django  # noqa: PLC0415
        from django.core.management import call_command  # noqa: PLC0415

        django.setup()
        call_command("migrate", verbosity=0)
        yield


if __name__ == "__main__":
    main(*sys.argv[1:])
