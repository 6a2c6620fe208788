"""Which batches a run has already: a program that hears no answer sends a batch again."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from django.db import connection
from django.utils import timezone

from runs.models import Writer

if TYPE_CHECKING:
    from django.db.models import QuerySet

REMEMBERED = timedelta(minutes=10)  # that a body without a number of its own is known
_HASHED = "#"  # begins the names that stand for bodies; writers' own names may not

# One statement, because two requests with the same batch may come at the same time: the second waits for the
# row, and then changes nothing. The ORM has no condition for the update of an upsert.
_UPSERT = """
INSERT INTO runs_writer (run_id, writer, last_batch, seen_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (run_id, writer) DO UPDATE SET last_batch = excluded.last_batch, seen_at = excluded.seen_at
WHERE """
_IS_LATER = "runs_writer.last_batch < excluded.last_batch"
_IS_FORGOTTEN = "runs_writer.seen_at < %s"


def is_next(run_id: int, writer: str, batch: int) -> bool:
    """Note a writer's batch; False if the run has it, or a later one, already."""
    return _upserted(_UPSERT + _IS_LATER, [run_id, writer, batch, _moment()])


def is_new(run_id: int, body: bytes) -> bool:
    """Note a body that came without a number; False if the same came within the last ten minutes."""
    digest = sha256(body).hexdigest()[:32]  # processors have instructions for this one
    if digest.startswith("00"):  # one in 256 tidies up for the others
        _hashed(run_id).filter(seen_at__lt=timezone.now() - REMEMBERED).delete()
    name, forgotten = f"{_HASHED}{digest}", _moment(REMEMBERED)
    return _upserted(_UPSERT + _IS_FORGOTTEN, [run_id, name, 0, _moment(), forgotten])


def forget_bodies(run_id: int) -> None:
    """Let bodies that came before come again: what they brought may have been removed."""
    _hashed(run_id).delete()


def is_name(text: str) -> bool:
    """Whether a writer may be called so."""
    return 1 <= len(text) <= 36 and text.isprintable() and not text.startswith(_HASHED)


def _hashed(run_id: int) -> QuerySet[Writer]:
    return Writer.objects.filter(run_id=run_id, writer__startswith=_HASHED)


def _upserted(statement: str, values: list[int | str]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return bool(cursor.rowcount)


def _moment(ago: timedelta = timedelta()) -> str:
    """Spell a time as the database's own adapter does."""
    return str(connection.ops.adapt_datetimefield_value(timezone.now() - ago))
