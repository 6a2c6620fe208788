"""Checkpoints on their way to the database and back, in parts.

All parts but the last are written ahead, each in a transaction of its own that lasts for milliseconds; the
last comes in the transaction that makes the new checkpoint the run's. Until then the old one stays whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from runs.models import Checkpoint, CheckpointPart
from runs.store import rows
from runs.store.outage import AWAY

logger = logging.getLogger(__name__)

PART = 2**20  # bytes
_COLUMNS = ("run_id", "number", "part", "data")
_DATA = "SELECT data FROM runs_checkpointpart WHERE run_id = %s AND number = %s ORDER BY part"


@dataclass(frozen=True)
class State:
    """A run as it stood after a step, to be kept.

    Args:
        data: as the engine writes it.
        summary: of the run.
        origin: what the bytes depend on, in plain values.
        health: hash of the rules that watch the run.
    """

    step: int
    data: bytes
    summary: Mapping[str, Any]
    origin: Mapping[str, str]
    health: str

    @property
    def last_part(self) -> int:
        """Number of the part that completes it."""
        return max(0, len(self.data) - 1) // PART


class Keeper:
    """Writes the checkpoints of one attempt at a run.

    Attributes:
        state: what waits to be written.
        seconds: that writing them took so far.
    """

    def __init__(self, run_id: int) -> None:
        self.state: State | None = None
        self.seconds = 0.0
        self._run_id = run_id
        self._number = 1
        self._is_ahead = False

    def begin(self, *, anew: bool) -> None:
        """Remove what an earlier attempt left, but for the checkpoint that this one goes on from."""
        if anew:
            Checkpoint.objects.filter(pk=self._run_id).delete()
        whole = Checkpoint.objects.filter(pk=self._run_id).values_list("number", flat=True).first() or 0
        CheckpointPart.objects.filter(run_id=self._run_id).exclude(number=whole).delete()
        self.state, self._number = None, whole + 1

    def take(self, state: State) -> None:
        """Take what is to be written next, in place of what still waits."""
        self.state, self._is_ahead = state, False

    def write_ahead(self, guard: Callable[[], None]) -> None:
        """Write all parts but the last; where the database is away, the next call does.

        Args:
            guard: begins every transaction; raises where the run is no longer this attempt's.
        """
        if self.state is None or self._is_ahead:
            return
        began = monotonic()
        try:
            for part in range(self.state.last_part):
                with transaction.atomic():
                    guard()
                    _write_part(self._run_id, self._number, part, self.state)
        except AWAY as error:
            connection.close()
            logger.warning("run %s: its checkpoint waits for the database: %s", self._run_id, error)
            return
        self._is_ahead = True
        self.seconds += monotonic() - began

    def complete(self) -> None:
        """Write the last part, and let the checkpoint be the run's; the caller's transaction decides when."""
        if self.state is not None and self._is_ahead:
            began = monotonic()
            _complete(self._run_id, self._number, self.state)
            self.seconds += monotonic() - began

    def written(self) -> None:
        """Note that the transaction has committed."""
        if self._is_ahead:
            self.state, self._is_ahead = None, False
            self._number += 1


def _write_part(run_id: int, number: int, part: int, state: State) -> None:
    """Write one part, in place of what an attempt that was cut off may have left under its number."""
    data = state.data[part * PART : (part + 1) * PART]
    rows.insert("runs_checkpointpart", _COLUMNS, [(run_id, number, part, data)], replacing=_COLUMNS[:3])


def _complete(run_id: int, number: int, state: State) -> None:
    _write_part(run_id, number, state.last_part, state)
    columns = {
        "number": number,
        "step": state.step,
        "size": len(state.data),
        "origin": dict(state.origin),
        "health": state.health,
        "summary": dict(state.summary),
        "saved_at": Now(),
    }
    Checkpoint.objects.bulk_create(
        [Checkpoint(run_id=run_id, **columns)],
        update_conflicts=True,
        unique_fields=["run"],
        update_fields=list(columns),
    )
    CheckpointPart.objects.filter(run_id=run_id).exclude(number=number).delete()


def data_of(found: Checkpoint) -> bytes:
    """Read the bytes of a checkpoint; fewer than its size where parts are gone."""
    return b"".join(part for (part,) in rows.fetch(_DATA, (found.run_id, found.number)))
