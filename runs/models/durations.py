"""Durations that the database computes by itself: Django's own difference calls Python for each row."""

from __future__ import annotations

from typing import Any

from django.db.models import FloatField, Func


class Seconds(Func):
    """The seconds from one moment to another: ``Seconds("ended_at", "started_at")``; NULL where either is.

    Of columns alone it can stand in an index.
    """

    template = "EXTRACT(EPOCH FROM (%(expressions)s))::double precision"
    arg_joiner = " - "
    arity = 2
    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Write it for SQLite."""
        template, joiner = "(86400.0 * (julianday(%(expressions)s)))", ") - julianday("
        return self.as_sql(compiler, connection, template=template, arg_joiner=joiner, **context)
