"""Attempts in figures that only grow: those of runs that are kept, and of those that were purged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, QuerySet, Sum, Value, When

from runs.models import Attempt, Tally
from runs.models.durations import Seconds
from runs.store import rows

BOUNDS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)  # seconds
_COLUMNS = ("count", "total", *(f"under_{bound}" for bound in BOUNDS))

_ADDED = """
INSERT INTO runs_tally (name, value) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET value = runs_tally.value + excluded.value"""


@dataclass(frozen=True)
class Spread:
    """How long something took.

    Args:
        under: how often at most as long as each of ``BOUNDS``.
        total: seconds in all.
    """

    under: Sequence[float]
    count: float
    total: float


class History:
    """What has happened in all attempts of workers, those of purged runs among them; in three queries."""

    def __init__(self) -> None:
        self._figures = _figures(Attempt.objects.all())
        for name, value in Tally.objects.values_list("name", "value"):
            self._figures[name] += value

    def took(self, outcome: str) -> Spread:
        """Return how long the attempts took that ended so."""
        return self._spread(f"took {outcome}")

    def waited(self) -> Spread:
        """Return how long runs waited between their submission and their first attempt."""
        return self._spread("waited")

    def _spread(self, kind: str) -> Spread:
        count, total, *under = (self._figures[f"{kind} {column}"] for column in _COLUMNS)
        return Spread(under, count, total)


def keep(run_id: int) -> None:
    """Add up the attempts of a run that is purged, in the transaction that does it."""
    figures = _figures(Attempt.objects.filter(run=run_id))
    for name in sorted(figures):  # so that two purges never wait for each other
        if figures[name]:
            rows.change(_ADDED, (name, figures[name]))


def _figures(attempts: QuerySet[Attempt]) -> dict[str, float]:
    own = attempts.exclude(process="").order_by()  # programs outside end theirs as they like
    ended = own.exclude(ended_at=None).annotate(seconds=Seconds(F("ended_at"), F("started_at")))
    first = own.filter(number=1).annotate(seconds=Seconds(F("started_at"), F("run__sweep__created_at")))
    figures: dict[str, float] = defaultdict(float)
    for row in _spread(ended, "outcome"):
        _add(figures, f"took {row['outcome']}", row)
    for row in _spread(first, "number"):
        _add(figures, "waited", row)
    return figures


def _spread(attempts: Any, label: str) -> QuerySet[Any, dict[str, Any]]:
    """Count by label and by the first bound that is not exceeded, in one pass."""
    bounds = (When(seconds__lte=bound, then=Value(place)) for place, bound in enumerate(BOUNDS))
    placed = attempts.annotate(place=Case(*bounds, default=Value(len(BOUNDS)))).values(label, "place")
    found: QuerySet[Any, dict[str, Any]] = placed.annotate(count=Count("pk"), total=Sum("seconds"))
    return found


def _add(figures: dict[str, float], kind: str, row: dict[str, Any]) -> None:
    figures[f"{kind} count"] += row["count"]
    figures[f"{kind} total"] += row["total"]
    for bound in BOUNDS[row["place"] :]:
        figures[f"{kind} under_{bound}"] += row["count"]
