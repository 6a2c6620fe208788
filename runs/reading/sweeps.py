"""Sweeps as lists show them: how far each is, how its runs ended, and its best score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Sum, When
from django.db.models.fields.json import KeyTextTransform

from runs.models import Alert, Project, Run, Status, Sweep
from runs.models.runs import ACTIVE, OVER
from runs.reading.overview import Best

PAGE_SIZE = 25
RECENT = 8
# What is going on comes first, then how runs ended.
_ORDER = (
    *(Status.RUNNING, Status.QUEUED, Status.PAUSED, Status.LOST),
    *(Status.FINISHED, Status.FAILED, Status.CANCELLED),
)


@dataclass(frozen=True)
class SweepSummary:
    """One sweep of a list.

    Args:
        counts: runs by status, those statuses that occur.
        progress: share of the requested steps that were run, 0 to 1; a run that is over counts whole.
        only_run: key of the run where there is one only.
        best: None before the first score.
    """

    sweep: Sweep
    runs: int
    counts: Sequence[tuple[str, int]]
    progress: float
    open_alerts: int
    only_run: int | None
    best: Best | None

    @property
    def statuses(self) -> set[str]:
        """Where its runs stand."""
        return {status for status, _ in self.counts}

    @property
    def is_over(self) -> bool:
        """Whether no run of it has anything before it."""
        return not any(status in ACTIVE for status, _ in self.counts)


def shown_sweeps() -> QuerySet[Sweep]:
    """Return the sweeps of which a run is neither in the trash nor archived, the newest first."""
    return Sweep.objects.filter(Exists(Run.objects.shown().filter(sweep=OuterRef("pk"))))


def recent_sweeps() -> list[SweepSummary]:
    """Return the newest sweeps of all projects, in three queries."""
    return _summaries(list(shown_sweeps().select_related("project")[:RECENT]))


def sweeps_of(project: Project, number: str) -> tuple[Page[Sweep], list[SweepSummary]]:
    """Return one page of a project's sweeps, the newest first."""
    sweeps = shown_sweeps().filter(project=project).select_related("project", "created_by")
    page = Paginator(sweeps, PAGE_SIZE).get_page(number)
    return page, _summaries(list(page.object_list))


def _summaries(sweeps: Sequence[Sweep]) -> list[SweepSummary]:
    keys = [sweep.pk for sweep in sweeps]
    by_status = {status.value: Count("pk", filter=Q(status=status)) for status in _ORDER}
    done = Case(When(status__in=OVER, then=F("steps_requested")), default=F("steps_run"))
    sound = ~Q(stop_reason="diverged")  # whose score is only the last finite value
    rows = (
        Run.objects.shown()
        .filter(sweep__in=keys)
        .order_by()
        .values("sweep")
        .annotate(
            **by_status,
            all_runs=Count("pk"),
            first=Min("pk"),
            done=Sum(done),
            requested=Sum("steps_requested"),
            metric=Max("headline"),
            unit=Max(KeyTextTransform("target_unit", "info")),
            data=Max("dataset"),
            low=Min("score", filter=sound),
            high=Max("score", filter=sound),
        )
    )
    found = {row["sweep"]: row for row in rows}
    alerts = _open_alerts(keys)
    return [_summary(sweep, found.get(sweep.pk), alerts.get(sweep.pk, 0)) for sweep in sweeps]


def _open_alerts(keys: Sequence[int]) -> dict[int, int]:
    alerts = Alert.objects.of_shown_runs().unattended().filter(run__sweep__in=keys)
    rows = alerts.order_by().values("run__sweep")
    return {row["run__sweep"]: row["number"] for row in rows.annotate(number=Count("pk"))}


def _summary(sweep: Sweep, row: Mapping[str, Any] | None, open_alerts: int) -> SweepSummary:
    if row is None:  # its runs were deleted a moment ago
        return SweepSummary(sweep, 0, (), 0.0, 0, None, None)
    best = None
    if row["low"] is not None:
        best = Best(row["data"], row["metric"], row["unit"] or "", row["low"], row["high"])
    return SweepSummary(
        sweep,
        row["all_runs"],
        [(status.value, row[status.value]) for status in _ORDER if row[status.value]],
        min(1.0, row["done"] / row["requested"]) if row["requested"] else 0.0,
        open_alerts,
        row["first"] if row["all_runs"] == 1 else None,
        best,
    )
