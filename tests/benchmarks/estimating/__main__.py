"""Ten sweeps, each told beforehand, trained, told again, trained again; see ``poe bench-estimating``.

In this one process, as a worker does it, with a database of its own. Probes count processor time, so the
first training is held against the processor's, and the second, told from the first, against the clock's.
"""

from __future__ import annotations

import logging
import os
import statistics
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()  # before models are imported

from django.core.management import call_command  # noqa: E402
from django.db.models import Sum  # noqa: E402

from runs import submission  # noqa: E402
from runs.estimating.estimate import Estimate, estimate  # noqa: E402
from runs.models import Ledger, Run, Series, Status  # noqa: E402
from runs.submitted.specification import Specification  # noqa: E402
from runs.tasks import train_next  # noqa: E402

HOUSING = {"dataset": "california_housing", "recipe": "lab6"}
SWEEPS: dict[str, dict[str, Any]] = {
    "tiny, 16 seeds": {"data": {"dataset": "iris"}, "training": {"width": 8, "epochs": 300}, "seeds": 16},
    "tiny, alone": {"data": {"dataset": "iris"}, "training": {"width": 8, "epochs": 1000}},
    "digits, grid": {
        "data": {"dataset": "digits"},
        "training": {"epochs": 20},
        "grid": {"depth": [1, 2], "width": [32, 64], "dropout": [0, 0.2]},
        "seeds": 2,
    },
    "digits, wide": {"data": {"dataset": "digits"}, "training": {"width": 512, "depth": 2, "epochs": 10}},
    "housing, dropout": {
        "data": HOUSING,
        "training": {"hidden_units": [100, 50, 20], "dropout": 0.1, "batch_size": 100, "epochs": 20},
        "seeds": 4,
    },
    "housing, deep": {"data": HOUSING, "training": {"depth": 8, "width": 32, "batch_size": 64, "epochs": 10}},
    "housing, optimizers": {
        "data": HOUSING,
        "training": {"width": 64, "depth": 2, "batch_size": 128, "epochs": 10},
        "grid": {"optimizer": ["rmsprop", "adam", "adamw"]},
        "seeds": 2,
    },
    "float64": {
        "data": {"dataset": "circle"},
        "training": {"width": 16, "depth": 2, "dtype": "float64", "steps": 15_000},
    },
    "batch norm": {
        "data": {"dataset": "digits"},
        "training": {"width": 64, "depth": 3, "batch_norm": True, "epochs": 30},
        "seeds": 2,
    },
    "40 shapes": {
        "data": {"dataset": "digits"},
        "training": {"epochs": 5},
        "grid": {"depth": [1, 2, 3, 4], "width": [8, 16, 24, 32, 48, 64, 96, 128, 192, 256]},
    },
}


@dataclass(frozen=True)
class Trained:
    """What a sweep cost."""

    processor: float
    clock: float
    points: int
    stored: int


def train(spec: Specification) -> Trained:
    """Submit a sweep, and be its worker until nothing waits."""
    sweep = submission.submit(spec, None)
    processor, clock = process_time(), perf_counter()
    while Run.objects.filter(status=Status.QUEUED).exists():
        train_next("cpu")
    runs = sweep.runs.all()
    unfinished = list(runs.exclude(status=Status.FINISHED).values_list("status", "error"))
    assert not unfinished, unfinished
    points = Series.objects.filter(run__in=runs).aggregate(all=Sum("points"))["all"]
    stored = Ledger.objects.filter(run__in=runs).aggregate(all=Sum("stored_bytes"))["all"]
    return Trained(process_time() - processor, perf_counter() - clock, points, stored)


def within(found: Estimate, truth: float) -> str:
    """Whether the truth lies within the bounds that were told."""
    assert found.work is not None
    return "yes" if found.work.low <= truth <= found.work.high else "no"


def main() -> None:
    """Print a row of figures for each sweep, as Markdown."""
    logging.disable(logging.WARNING)
    call_command("migrate", verbosity=0)
    told_by, learned = "told by | s | took, processor | within", "told by past runs, s | took, clock | within"
    print(f"| sweep | runs | {told_by} | {learned} | points, told / true |")
    print("|---|--:|---|--:|--:|---|--:|--:|---|--:|")
    probes, past = list[float](), list[float]()
    for name, changes in SWEEPS.items():
        spec = submission.parse({"project": "estimating", "name": name, **changes})
        told, first = estimate(spec), train(spec)
        again, second = estimate(spec), train(spec)
        assert told.work is not None
        assert again.work is not None
        probes.append(told.work.seconds / first.processor)
        past.append(again.work.seconds / second.clock)
        print(
            f"| {name} | {told.runs} | {told.source} | {told.work.seconds:.2f} | {first.processor:.2f}"
            f" | {within(told, first.processor)} | {again.work.seconds:.2f} | {second.clock:.2f}"
            f" | {within(again, second.clock)} | {told.points / first.points:.2f} |",
            flush=True,
        )
    for what, ratios in (("probes", probes), ("past runs", past)):
        off = [max(ratio, 1.0 / ratio) for ratio in ratios]
        print(f"\n{what}: off by {statistics.median(off):.2f} times in the median, {max(off):.2f} at most")


main()
