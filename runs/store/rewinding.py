"""Rewinding: a run goes back to a step, because its training goes on from there."""

from __future__ import annotations

import numpy as np

from nnlab.series.batch import Key, Points
from nnlab.series.chunks import points_from
from nnlab.series.summaries import Summary
from runs.models import Chunk, Pyramid, RunMetric, Series
from runs.store import journal, ledger, summaries, tails
from runs.store.tails import Tail


def rewind(run_id: int, step: int | None) -> None:
    """Remove every point after a step, or all of them where it is None.

    A series that is left without points goes; what is left stands as if the others had never been.
    The caller's transaction decides when.
    """
    standing = ledger.counted(run_id, 0)  # no other writer of the run goes past this before us
    RunMetric.objects.filter(run_id=run_id).delete()  # what is left of them is written anew
    kept = _nothing(run_id) if step is None else _kept(run_id, step)
    journal.clear(run_id)
    if kept:
        journal.append(run_id, standing.batches, kept)
    count = sum(len(steps) for steps, _ in kept.values())
    ledger.folded(run_id, carried_batches=int(bool(kept)), carried_points=count, added_bytes=0)
    ledger.measure(run_id)
    summaries.refresh(run_id)


def _nothing(run_id: int) -> dict[Key, Points]:
    for model in (Chunk, Pyramid, Series):
        model.objects.filter(run_id=run_id).delete()
    return {}


def _kept(run_id: int, step: int) -> dict[Key, Points]:
    """Open what is sealed after the step. Returns the points up to it that are not sealed then."""
    pending = journal.decoded(journal.blobs([run_id]).get(run_id, []))
    every = list(Series.objects.filter(run_id=run_id))
    found = tails.reopened(run_id, {series.number for series in every})
    kept: dict[Key, Points] = {}
    empty: list[int] = []
    for series in every:
        key, tail = (series.metric, series.layer), found[series.number]
        opened = tail.unseal(step)
        parts = [part for part in (opened, pending.get(key)) if part is not None]
        before = journal.in_order(parts)
        points = _until(before, step)
        if len(points[0]):
            kept[key] = points
        elif not tail.end.sealed_points:
            empty.append(series.pk)
        if len(points[0]) < len(before[0]):  # what goes may have set an extreme, sealed or not
            tail.summary = _summary(tail)
    tails.store_summaries(found.values())
    Series.objects.filter(pk__in=empty).delete()
    return kept


def _summary(tail: Tail) -> Summary:
    """Compute how the sealed points of a series stand: those that set its extremes may be gone."""
    return Summary().extended(*points_from(tails.stored_chunks(tail.run_id, tail.number, 0), 0))


def _until(points: Points, step: int) -> Points:
    count = int(np.searchsorted(points[0], step, side="right"))
    return points[0][:count].copy(), points[1][:count].copy()  # views would keep every point
