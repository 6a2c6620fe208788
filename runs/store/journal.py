"""The journal: what was written to a run and is not folded yet, a row a write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from nnlab.series.batch import Key, Points, decode_batch, encode_batch
from runs.models import Journal, Ledger
from runs.store import rows

_ROWS = "SELECT run_id, batch FROM runs_journal WHERE run_id IN ({}) ORDER BY run_id, number"


def append(run_id: int, number: int, points: Mapping[Key, Points]) -> None:
    """Add a row."""
    count = sum(len(steps) for steps, _ in points.values())
    row = (run_id, number, count, encode_batch(points))
    rows.insert("runs_journal", ("run_id", "number", "points", "batch"), [row])


def blobs(run_ids: Collection[int]) -> dict[int, list[bytes]]:
    """Read the rows of runs, in the order of writing, as they are stored."""
    found: dict[int, list[bytes]] = defaultdict(list)
    if run_ids:
        places = ", ".join(["%s"] * len(run_ids))
        for run_id, batch in rows.fetch(_ROWS.format(places), list(run_ids)):
            found[run_id].append(batch)
    return found


def pending_points(run_id: int) -> int:
    """Count the points of a run that are not folded yet."""
    return Ledger.objects.filter(pk=run_id).values_list("pending_points", flat=True).first() or 0


def clear(run_id: int) -> None:
    """Remove all rows of a run."""
    Journal.objects.filter(run_id=run_id).delete()


def joined(batches: Iterable[Mapping[Key, Points]]) -> dict[Key, Points]:
    """Join batches: each series in the order of its steps, equal steps in the order of writing."""
    parts: dict[Key, list[Points]] = defaultdict(list)
    for batch in batches:
        for key, points in batch.items():
            if len(points[0]):
                parts[key].append(points)
    return {key: in_order(found) for key, found in parts.items()}


def decoded(batches: Iterable[bytes], wanted: Collection[Key] | None = None) -> dict[Key, Points]:
    """Join rows of the journal."""
    return joined(decode_batch(batch, wanted) for batch in batches)


def in_order(parts: Sequence[Points]) -> Points:
    """Join pieces of one series by step."""
    if len(parts) == 1:
        steps, values = parts[0]
    else:
        steps = np.concatenate([steps for steps, _ in parts])
        values = np.concatenate([values for _, values in parts])
    if (steps[1:] >= steps[:-1]).all():
        return steps, values
    order = np.argsort(steps, kind="stable")
    return steps[order], values[order]
