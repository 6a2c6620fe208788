"""Folding: the journal of a run becomes chunks, rows of the pyramid, and the standing of each series."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from django.db import transaction

from nnlab.series.batch import Key, Points
from nnlab.series.sealing import Sealed
from runs.store import journal, ledger, tails
from runs.store.ledger import Standing
from runs.store.memory import Memory
from runs.store.numbers import store_new, stored_numbers
from runs.store.tails import Tail

_remembered: Memory[dict[int, Tail]] = Memory(5_000)  # series, some 30 kB each


def fold(
    run_id: int,
    standing: Standing,
    numbers: Mapping[Key, int],
    new: Mapping[Key, int],
    fresh: Mapping[Key, Points],
    *,
    final: bool,
) -> None:
    """Seal all that fills chunks, and carry the rest over in one row of the journal; the ledger is held.

    Args:
        run_id: key of the run.
        standing: of its ledger.
        numbers: of its series.
        new: those of them that are not stored yet.
        fresh: points that are not in the journal yet.
        final: seal the rest, too.
    """
    has_journal = standing.pending_batches > 1  # besides this write, which counts as one
    pending = journal.decoded(journal.blobs([run_id]).get(run_id, [])) if has_journal else {}
    points = journal.joined([pending, fresh])
    if not points.keys() <= numbers.keys():  # another process has begun a series since this one looked
        numbers = stored_numbers(run_id)
    known = _remembered.take(run_id, standing.folds) or {}
    known |= tails.begun(run_id, new.values())
    known |= tails.reopened(run_id, {numbers[key] for key in points} - known.keys())
    sealed: dict[int, Sealed] = {}
    carried: dict[Key, Points] = {}
    for key, found in points.items():
        sealed[numbers[key]], rest = known[numbers[key]].seal(found, final=final)
        if len(rest[0]):
            carried[key] = rest
    tails.store(run_id, sealed)
    store_new(run_id, new, {number: known[number].summary for number in new.values()})
    tails.store_summaries(known[number] for number in sealed.keys() - set(new.values()))
    if has_journal:
        journal.clear(run_id)
    if carried:
        journal.append(run_id, standing.batches, carried)
    ledger.folded(
        run_id,
        carried_batches=int(bool(carried)),
        carried_points=sum(len(steps) for steps, _ in carried.values()),
        added_bytes=sum(part.size for part in sealed.values())
        - sum(known[number].freed() for number in sealed),
    )
    transaction.on_commit(partial(_remembered.put, run_id, standing.folds + 1, known))
