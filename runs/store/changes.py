"""Whether anything was written: asked by one process for everybody who waits for news."""

from __future__ import annotations

from django.db import connection

# Who sees the same snapshot on PostgreSQL sees the same rows. On SQLite a connection is told a new number
# when another one has written.
_STANDING = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT pg_current_snapshot()::text"}


def standing() -> str:
    """Name the state of the database; the same name from the same thread: nobody has written meanwhile."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute(_STANDING[connection.vendor])
        return f"{id(connection.connection)} {cursor.fetchone()[0]}"
