"""Inserting very many runs: a sweep may have ten thousand, of fifty columns each.

Django's ``bulk_create`` writes them as texts of statements with half a million places, which takes it and
PostgreSQL longer than storing them does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import connection
from django.db.models import JSONField

from runs.models import Run
from runs.store import rows

_KEYS = "SELECT nextval(pg_get_serial_sequence('runs_run', 'id')) FROM generate_series(1, %s)"


def insert(runs: Sequence[Run]) -> None:
    """Store new runs within a transaction, and give each its key.

    Their columns hold plain values, and none the time of a change: new runs have only been queued, and the
    database says when.
    """
    fields = [field for field in Run._meta.concrete_fields if not field.has_db_default()]  # noqa: SLF001
    for run, key in zip(runs, _new_keys(len(runs)), strict=True):
        run.pk = key
    is_json = [isinstance(field, JSONField) for field in fields]
    names = [field.attname for field in fields]
    rows.load(
        "runs_run",
        [f'"{field.column}"' for field in fields],
        (
            tuple(
                json.dumps(run.__dict__[name]) if packs else run.__dict__[name]
                for name, packs in zip(names, is_json, strict=True)
            )
            for run in runs
        ),
    )


def _new_keys(count: int) -> Sequence[int]:
    """Take keys that no other writer gets: SQLite has but one writer at a time."""
    if connection.vendor == "postgresql":
        return [key for (key,) in rows.fetch(_KEYS, [count])]
    used = rows.fetch("SELECT seq FROM sqlite_sequence WHERE name = 'runs_run'")
    first = max((seq for (seq,) in used), default=0) + 1
    return range(first, first + count)
