"""The row of each run that its writers take turns at: what was written, and what is not folded yet."""

from __future__ import annotations

from dataclasses import dataclass

from runs.store import rows

_COUNTED = """
INSERT INTO runs_ledger
    (run_id, batches, pending_batches, pending_points, carried_points, folds, stored_bytes, thinned)
VALUES (%s, 1, 1, %s, 0, 0, 0, 0)
ON CONFLICT (run_id) DO UPDATE SET
    batches = runs_ledger.batches + 1,
    pending_batches = runs_ledger.pending_batches + 1,
    pending_points = runs_ledger.pending_points + excluded.pending_points
RETURNING batches, pending_batches, pending_points, carried_points, folds"""

_FOLDED = """
UPDATE runs_ledger SET
    pending_batches = %s, pending_points = %s, carried_points = %s, folds = folds + 1,
    stored_bytes = CASE WHEN stored_bytes + %s > 0 THEN stored_bytes + %s ELSE 0 END
WHERE run_id = %s"""

_MEASURED = """
UPDATE runs_ledger SET stored_bytes =
    (SELECT coalesce(sum(length(data) + coalesce(length(steps), 0)), 0) FROM runs_chunk WHERE run_id = %s)
    + (SELECT coalesce(sum(length(data) + coalesce(length(steps), 0)), 0) FROM runs_pyramid WHERE run_id = %s)
WHERE run_id = %s"""


@dataclass(frozen=True)
class Standing:
    """How a run's ledger stands after a write.

    Args:
        batches: writes so far; the number of this one.
        pending_batches: rows of the journal, this write among them.
        pending_points: points in them.
        carried_points: points among them that the last fold left.
        folds: times that the journal became chunks; what a process remembers of a run holds for one value.
    """

    batches: int
    pending_batches: int
    pending_points: int
    carried_points: int
    folds: int


def counted(run_id: int, points: int) -> Standing:
    """Count a write. Until its transaction ends, no other writer of the run goes past this point."""
    [row] = rows.fetch(_COUNTED, (run_id, points))
    return Standing(*row)


def folded(run_id: int, *, carried_batches: int, carried_points: int, added_bytes: int) -> None:
    """Note a fold: what it carried over, and by how many bytes the run grew."""
    values = (carried_batches, carried_points, carried_points, added_bytes, added_bytes, run_id)
    rows.change(_FOLDED, values)


def measure(run_id: int) -> None:
    """Add up anew how many bytes of chunks and pyramid a run has."""
    rows.change(_MEASURED, (run_id, run_id, run_id))
