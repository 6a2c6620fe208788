"""A program that trains with a recorder, is killed again and again, and goes on from stale checkpoints.

Run with DATABASE_URL set, and the number of kills: each life records from a checkpoint on until it is killed
at a random moment; the next one goes on from one of the checkpoints before that, not always the newest. The
last one lives to the end, and all that is stored is compared with the source.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from typing import TYPE_CHECKING

import django
import numpy as np

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")
    django.setup()

from django.core.management import call_command
from django.db import connection

from nnlab.engine.records import Ending, Records, RunInfo, Sample
from nnlab.series.batch import Key, Points
from nnlab.series.chunks import points_from
from nnlab.series.pyramid import LAYOUT, Buckets, PyramidRow
from nnlab.series.summaries import Summary
from runs.models import Journal, Ledger, Pyramid, Run, RunMetric, Series
from runs.reading.series import read_series
from runs.store import tails
from runs.training.recording import HIDDEN_PROBES, LAYER_PROBES, Recorder
from tests.runs.builders import build_running_run

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 60_000
CHUNK = 500  # steps of one record
SAMPLED = 25  # steps between two samples of the layers
LAYERS = 4
CHECKPOINT = 2_000  # steps between two checkpoints
LONGEST_LIFE = 0.5  # seconds

INFO = RunInfo("binary", 4, (8, 8, 8, 1), ("relu",) * 4, 200, 64, 32, 8, STEPS, 8, 0.7, "train_loss", 0.5)
NORMS = ("gradient_norm", None)


def source() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same numbers in every life: losses, norms (NaN where there is none), a value a layer and sample."""
    rng = np.random.default_rng(11)
    losses = rng.standard_normal(STEPS).astype(np.float32).astype(np.float64)
    losses[rng.integers(0, STEPS, 20)] = 1e4
    losses[rng.integers(0, STEPS, 20)] = np.nan
    losses[rng.integers(0, STEPS, 5)] = np.inf
    norms = np.where(rng.random(STEPS) < 0.5, rng.random(STEPS), np.nan)
    return losses, norms, rng.random((STEPS // SAMPLED, LAYERS))


def records(after: int) -> Iterator[Records]:
    losses, norms, layers = source()
    for first in range(after, STEPS, CHUNK):
        last = first + CHUNK
        samples = tuple(
            Sample(step, 8, *(layers[step // SAMPLED - 1],) * 4, *(layers[step // SAMPLED - 1, :-1],) * 3, ())
            for step in range(first + 1, last + 1)
            if step % SAMPLED == 0
        )
        ended = Ending.END if last == STEPS else None
        yield Records(first + 1, losses[first:last], norms[first:last], samples, ended=ended)


def live(run_id: int, token: uuid.UUID, after: int | None, reached: Synchronized[int]) -> None:
    """Record from a checkpoint on, and tell which checkpoints are safe: those whose points are written."""
    recorder = Recorder(run_id, token, INFO)
    recorder.start("", after=after)
    for one in records(after or 0):
        recorder.record(one, [])
        while not recorder.flush(final=one.ended is not None):
            sys.stdout.write(f"step {one.last_step} waits\n")
        if one.last_step % CHECKPOINT == 0:
            reached.value = one.last_step


def expected() -> dict[Key, Points]:
    losses, norms, layers = source()
    steps, sampled = np.arange(1, STEPS + 1), np.arange(SAMPLED, STEPS + 1, SAMPLED)
    there = ~np.isnan(norms)
    found: dict[Key, Points] = {("train_loss", None): (steps, losses), NORMS: (steps[there], norms[there])}
    for metrics, count in ((LAYER_PROBES, LAYERS), (HIDDEN_PROBES, LAYERS - 1)):
        found |= {
            (metric, layer): (sampled, np.ascontiguousarray(layers[:, layer]))
            for metric in metrics
            for layer in range(count)
        }
    return found


def verify(run_id: int) -> None:
    wanted = expected()
    metrics = {metric for metric, _ in wanted}
    found = {(one.metric, one.layer): one for one in read_series([run_id], metrics)}
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    for key, (steps, values) in wanted.items():
        assert np.array_equal(found[key].steps, steps), f"{key}: steps differ"
        assert found[key].values.tobytes() == values.tobytes(), f"{key}: values differ"
    for series in Series.objects.filter(run=run_id):
        steps, values = wanted[series.metric, series.layer]
        assert tails.summary_of(series) == Summary().extended(steps, values), series
        sealed = points_from(tails.stored_chunks(run_id, series.number, 0), 0)
        assert sealed[1].tobytes() == values.tobytes(), f"{series}: chunks differ"
        verify_pyramid(run_id, series.number, steps, values)
    assert not Journal.objects.filter(run=run_id).exists()
    assert Ledger.objects.get(run=run_id).pending_points == 0
    loss = RunMetric.objects.get(run=run_id, name__text="train_loss")
    whole = Summary().extended(*wanted["train_loss", None])
    assert (loss.last, loss.minimum, loss.maximum) == (whole.last, whole.minimum, whole.maximum)


def verify_pyramid(run_id: int, number: int, steps: np.ndarray, values: np.ndarray) -> None:
    names = tails.PYRAMID[2:]
    rows = [
        PyramidRow(*row)
        for row in Pyramid.objects.filter(run=run_id, series_number=number).values_list(*names)
    ]
    covered = sum(row.points for row in rows if row.level == 0)
    assert covered == (len(steps) if len(steps) > LAYOUT.chunk else 0), f"level 0 covers {covered} points"
    for row in rows:
        size, part = LAYOUT.bucket_points(row.level), slice(row.start, row.start + row.points)
        one, other = row.unpacked(size), Buckets.of_points(steps[part], values[part], size)
        for name in ("first_steps", "last_steps", "counts", "minimum", "maximum", "nonfinite", "flags"):
            left, right = getattr(one, name), getattr(other, name)
            assert np.array_equal(left, right, equal_nan=name in {"minimum", "maximum"}), (row.level, name)


def main(kills: int) -> None:
    call_command("migrate", verbosity=0)
    run = build_running_run()
    rng = np.random.default_rng()
    context = get_context("fork")
    reached: Synchronized[int] = context.Value("q", 0)
    killed = ended = 0
    checkpoints: list[int] = []
    is_whole = False
    while killed < kills or not is_whole:
        token = uuid.uuid4()
        Run.objects.filter(pk=run.pk).update(token=token)
        after = int(rng.choice(checkpoints[-4:])) if checkpoints and rng.random() < 0.9 else None
        connection.close()
        life = context.Process(target=live, args=(run.pk, token, after, reached))
        reached.value = after or 0
        life.start()
        life.join(float(rng.random() * LONGEST_LIFE) if killed < kills else None)
        is_whole = not life.is_alive()
        if not is_whole:
            os.kill(life.pid or 0, signal.SIGKILL)
            killed += 1
            life.join()
        else:
            assert life.exitcode == 0, life.exitcode
            ended += 1
        checkpoints = [step for step in checkpoints if step <= (after or 0)]
        checkpoints += range((after or 0) + CHECKPOINT, reached.value + 1, CHECKPOINT)
    verify(run.pk)
    sys.stdout.write(
        f"{killed} kills, {ended} lives to the end, {time.process_time():.1f} s: every point once\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
