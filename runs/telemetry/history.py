"""What has happened: attempts that ended, how long they took, and how long runs waited for their first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from prometheus_client import Metric

from runs.models import Attempt, Outcome
from runs.models.durations import Seconds
from runs.telemetry.families import BOUNDS, counters, histogram


def families() -> Iterator[Metric]:
    """Ask the database, in two queries."""
    own = Attempt.objects.exclude(process="").order_by()  # programs outside end theirs as they like
    ended = own.exclude(ended_at=None).annotate(seconds=Seconds(F("ended_at"), F("started_at")))
    found = {row["outcome"]: row for row in _spread(ended.values("outcome"))}
    yield counters(
        "nnlab_attempts_ended",
        "Attempts of workers that ended.",
        "outcome",
        {outcome: found[outcome]["count"] if outcome in found else 0 for outcome in Outcome.values},
    )
    took = [((outcome,), *_figures(row)) for outcome, row in found.items()]
    yield histogram("nnlab_attempt_seconds", "How long attempts took.", ("outcome",), took)

    first = own.filter(number=1).annotate(
        seconds=Seconds(F("started_at"), F("run__sweep__created_at")), all=F("number")
    )
    waited = [((), *_figures(row)) for row in _spread(first.values("all"))]
    text = "How long runs waited between their submission and their first attempt."
    yield histogram("nnlab_start_wait_seconds", text, (), waited)


def _spread(attempts: Any) -> QuerySet[Any, dict[str, Any]]:
    under = {f"under_{bound}": Count("pk", filter=Q(seconds__lte=bound)) for bound in BOUNDS}
    found: QuerySet[Any, dict[str, Any]] = attempts.annotate(
        count=Count("pk"), total=Coalesce(Sum("seconds"), 0.0), **under
    )
    return found


def _figures(row: dict[str, Any]) -> tuple[list[float], float, float]:
    return [row[f"under_{bound}"] for bound in BOUNDS], row["count"], row["total"]
