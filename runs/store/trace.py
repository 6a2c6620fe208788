"""What the health checks read of a run that no series holds, written beside the points to judge it again.

Samples tell which hidden layers were silent and of how many rows; evaluations all but their metrics and dead
shares, which are series.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

import msgspec
import numpy as np

from nnlab.engine.records import Evaluation, Records
from runs.models import Trace

Note: TypeAlias = Mapping[str, Any]

_ELSEWHERE = ("metrics", "dead_share", "zero_share", "snapshot")  # no check reads the last two
_LEVEL = 1  # of compression: it is done while a worker trains


def notes_of(records: Records) -> list[Note]:
    """Take from records what no series holds."""
    notes: list[Note] = [
        {
            "kind": "sample",
            "step": sample.step,
            "rows": sample.rows,
            "silent": [layer for layer, counts in enumerate(sample.active_counts) if not counts.any()],
        }
        for sample in records.samples
    ]
    notes += [_note_of(evaluation) for evaluation in records.evaluations]
    if (found := records.nonfinite) is not None:
        notes.append(
            {
                "kind": "nonfinite",
                "step": found.step,
                "quantity": found.quantity,
                "layer": found.layer,
                "last_finite_loss": found.last_finite_loss,
            }
        )
    return notes


def write(run_id: int, number: int, notes: Sequence[Note]) -> None:
    """Write notes as the run's trace of a number, in place of those that were written under it before."""
    data = zlib.compress(msgspec.msgpack.encode(notes), _LEVEL)
    Trace.objects.bulk_create(
        [Trace(run_id=run_id, number=number, data=data)],
        update_conflicts=True,
        unique_fields=["run", "number"],
        update_fields=["data"],
    )


def rewind(run_id: int, step: int | None) -> int:
    """Remove the notes of everything after a step, or all of them where it is None.

    Returns the number under which the next notes are written.
    """
    rows = Trace.objects.filter(run_id=run_id)
    if step is None:
        rows.delete()
    for row in rows.order_by("-number"):
        notes = _decoded(row.data)
        kept = [note for note in notes if note["step"] <= step] if step is not None else []
        if kept:
            if len(kept) < len(notes):
                write(run_id, row.number, kept)
            return row.number + 1
        row.delete()
    return 0


def read(run_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Read the notes of runs, in the order of writing; runs without any are left out."""
    notes: dict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = Trace.objects.filter(run_id__in=run_ids).order_by("run_id", "number")
    for run_id, data in rows.values_list("run_id", "data"):
        notes[run_id] += _decoded(data)
    return notes


def _decoded(data: bytes | memoryview) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.msgpack.decode(zlib.decompress(data))
    return found


def _note_of(evaluation: Evaluation) -> Note:
    values = {
        field.name: getattr(evaluation, field.name)
        for field in fields(evaluation)
        if field.name not in _ELSEWHERE and getattr(evaluation, field.name) is not None
    }
    return {
        "kind": "evaluation",
        **{
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()
        },
    }
