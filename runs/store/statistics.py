"""What the database's planner knows of the tables: refreshed by ourselves, for SQLite never does it."""

from __future__ import annotations

import logging
from time import monotonic

from django.db import connection
from django.db.models import Max

from runs.models import Alert, Name, Run, RunMetric, RunParam, Sweep

logger = logging.getLogger(__name__)

HOUR = 3600.0  # seconds
MANY = 1000  # new runs that are worth a look before the hour is over
ROWS = 1000  # of each index that SQLite looks at
_TABLES = (Run, RunMetric, RunParam, Name, Alert, Sweep)


def analyse() -> float:
    """Let the database look at the tables that it plans queries of; the seconds that it took."""
    began = monotonic()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA analysis_limit = {ROWS}")
        for model in _TABLES:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")  # noqa: SLF001
    return monotonic() - began


class Upkeep:
    """Refreshes the statistics every hour, and sooner where many runs were added."""

    def __init__(self) -> None:
        self._due = monotonic()
        self._newest = 0

    def look(self) -> bool:
        """Refresh the statistics if it is time; whether it was."""
        newest = Run.objects.aggregate(newest=Max("pk"))["newest"] or 0
        if monotonic() < self._due and newest - self._newest < MANY:
            return False
        seconds = analyse()
        logger.info("the planner's statistics were refreshed in %.2f s", seconds)
        self._due, self._newest = monotonic() + HOUR, newest
        return True
