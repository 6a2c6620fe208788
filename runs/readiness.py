"""Whether this installation can do its work, part by part, in words for whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from nnlab.recent import Recent
from runs import queue
from runs.models import Queue

SECONDS = 2.0  # that an answer holds: anybody may ask, and must not be able to keep the database busy


@dataclass(frozen=True)
class Readiness:
    """How the parts stand.

    Args:
        parts: what is wrong with each, without names and passwords; empty where it is well.
    """

    parts: Mapping[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether every part is well."""
        return not any(self.parts.values())


def look() -> Readiness:
    """Ask each part now."""
    database = _database()
    parts = {
        "database": database,
        "migrations": "unknown without the database" if database else _migrations(),
        "broker": _broker(),
    }
    return Readiness(MappingProxyType(parts))


readiness: Callable[[], Readiness] = Recent(look, SECONDS)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "does not answer; the log says why"
    return ""


def _migrations() -> str:
    missing = missing_migrations()
    if not missing:
        return ""
    return f"{len(missing)} missing, the first is {missing[0]}; run `nnlab prepare`"


def missing_migrations() -> list[str]:
    """Return the migrations of this code that the database does not have; it may have newer ones."""
    applied = MigrationRecorder(connection).applied_migrations()
    return [".".join(name) for name in _known_migrations() if name not in applied]


@cache
def _known_migrations() -> list[tuple[str, str]]:
    loader = MigrationLoader(None)
    return sorted(loader.disk_migrations)


def _broker() -> str:
    if queue.waiting_messages(Queue.CPU) is None:
        return "does not answer; runs can be submitted, and start when it is back"
    return ""
