"""Runs to compare, quickly: groups of five seeds over depth, width, activation and dropout, with curves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np

from nnlab.data.config import DataConfig
from nnlab.engine.config import TrainingConfig
from nnlab.series.chunks import SealedChunk
from runs.models import Chunk, Project, Run, RunMetric, Series, Sweep
from runs.store.names import name_ids
from runs.submitted.specification import group_of

SEEDS = 5
POINTS = 50  # of a curve
METRICS = ("val_loss", "val_accuracy")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 500


def build_comparison(project: Project, count: int) -> Sweep:
    """Make a sweep of finished runs, each with two curves; one in fifty diverged."""
    rng = np.random.default_rng(count)
    sweep = Sweep.objects.create(project=project, name=f"{count} runs", specification={})
    runs = Run.objects.bulk_create(_runs(sweep, count, rng), batch_size=_BATCH)
    names = name_ids(set(METRICS))
    steps = np.arange(1, POINTS + 1, dtype=np.int64) * 20
    metrics, series, chunks = [], [], []
    for run in runs:
        for number, metric in enumerate(METRICS):
            value = run.summary[metric]
            last = None if isinstance(value, str) else value
            metrics.append(RunMetric(run_id=run.pk, name_id=names[metric], project=project, last=last))
            series.append(Series(run_id=run.pk, number=number, metric=metric, points=POINTS, last=last,
                                 first_step=20, last_step=20 * POINTS))  # fmt: skip
            noise = 1 + 0.1 * rng.random(POINTS)
            sealed = SealedChunk.packed(0, steps, (last or 1.0) * noise * np.linspace(3, 1, POINTS))
            chunks.append(Chunk(run_id=run.pk, series_number=number, **_columns(sealed)))
    RunMetric.objects.bulk_create(metrics, batch_size=_BATCH)
    Series.objects.bulk_create(series, batch_size=_BATCH)
    Chunk.objects.bulk_create(chunks, batch_size=_BATCH)
    return sweep


def _columns(sealed: SealedChunk) -> dict[str, Any]:
    return {name: getattr(sealed, name) for name in SealedChunk.__dataclass_fields__}


def _runs(sweep: Sweep, count: int, rng: np.random.Generator) -> Iterator[Run]:
    data = DataConfig(dataset="digits")
    rates = [0.001 * (place + 1) for place in range(max(1, count // (48 * SEEDS) + 1))]
    axes = product(rates, (1, 2, 3, 4), (16, 64), ("relu", "tanh", "sigmoid"), (0.0, 0.3))
    cells = list(axes)[: -(-count // SEEDS)]
    for place in range(count):
        rate, depth, width, activation, dropout = cells[place // SEEDS]
        config = TrainingConfig(
            hidden_units=(width,) * depth, activation=activation, dropout=dropout, learning_rate=rate,
            steps=1000, seed=place % SEEDS,
        )  # fmt: skip
        loss = float(rng.lognormal(depth / 10, 0.1))
        diverged = bool(rng.random() < 0.02)
        yield Run(
            project_id=sweep.project_id, sweep=sweep, name=f"run {place}", status="finished",
            config={"data": data.to_dict(), "training": config.to_dict()}, group=group_of(data, config),
            dataset="digits", depth=depth, width=width, activation=activation, dropout=dropout,
            optimizer=config.optimizer, learning_rate=rate, batch_size=32, seed=config.seed,
            parameters=width * width * depth, steps_requested=1000, steps_run=1000, attempt=1,
            started_at=BEGAN, ended_at=BEGAN + timedelta(seconds=30 + place % 100),
            stop_reason="diverged" if diverged else "end", headline="val_loss",
            score=None if diverged else loss,
            summary={"val_loss": "NaN" if diverged else loss, "val_accuracy": float(rng.random())},
            info={"steps_per_epoch": 20, "target_unit": "", "layer_names": ["hidden 1", "output"]},
        )  # fmt: skip
