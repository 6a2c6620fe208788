"""How long PostgreSQL waits for a client that has fallen silent in the middle of a transaction.

A worker that is frozen, or whose network is cut, just after its UPDATE would hold the rows of its runs for
hours, and nobody could take the runs from it. SQLite has no such bound: there everybody waits for everybody.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.signals import connection_created

PATIENCE = 30  # seconds; a lease has as many, so the rows are free about when the runs are lost


def install() -> None:
    """Bound every session that begins from now on."""
    connection_created.connect(_bound, dispatch_uid=__name__)


def _bound(connection: Any, **_: object) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = %s", [f"{PATIENCE}s"])
