"""Writing points: into the journal at once, and from there into chunks when there is enough of it."""

from __future__ import annotations

from collections.abc import Mapping

from nnlab.series.batch import Key, Points
from runs.store import journal, ledger, summaries
from runs.store.folding import fold
from runs.store.ledger import Standing
from runs.store.numbers import series_numbers, store_new

FOLD_POINTS = 16_384  # new ones, at least, for a fold
CHUNK_POINTS = 4_096  # of each series: what a fold seals
MOST_POINTS = 262_144  # that wait for a fold, of however many series: readers decode them
MAX_BATCHES = 256  # rows of the journal: readers decode all of them


def write(run_id: int, points: Mapping[Key, Points], *, final: bool = False) -> None:
    """Store points, all or none; the caller's transaction decides when.

    Any order of steps is right; a series keeps its points by step, equal steps as they were written. What a
    reader sees is the same before and after a fold.

    Shapes: steps and values of each series (n,).

    Args:
        run_id: key of the run.
        points: by series.
        final: no more points are expected: everything is folded, down to the last point.

    Raises:
        SeriesError: where the run would have more series than one run may have.
    """
    if not points and not final:
        return
    standing = ledger.counted(run_id, sum(len(steps) for steps, _ in points.values()))
    numbers, new = series_numbers(run_id, standing.folds, points)
    if final or _is_due(standing, len(numbers)):
        fold(run_id, standing, numbers, new, points, final=final)
    else:
        store_new(run_id, new)
        journal.append(run_id, standing.batches, points)
    if final or summaries.is_due(run_id):
        summaries.refresh(run_id)


def _is_due(standing: Standing, series: int) -> bool:
    """Whether to fold: one that seals nothing is for nothing, and what it carries over is written again."""
    new = standing.pending_points - standing.carried_points
    worth = max(FOLD_POINTS, min(CHUNK_POINTS * series, MOST_POINTS), standing.carried_points)
    return new >= worth or standing.pending_batches > MAX_BATCHES
