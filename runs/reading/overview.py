"""Summaries over projects: what the home page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, Value
from django.db.models.fields.json import KeyTextTransform

from runs.models import Alert, Project, Run, Status
from runs.models.alerts import AlertQuerySet

NEWEST_ALERTS = 6
SHOWN_IN_QUEUE = 8


@dataclass(frozen=True)
class Best:
    """The best score of a dataset's runs, by their headline metric.

    Args:
        low: smallest score; the best one where lower is better.
        high: largest score.
    """

    dataset: str
    metric: str
    unit: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ProjectCard:
    """A project as the home page shows it."""

    project: Project
    runs: int
    active: int
    open_alerts: int
    best: tuple[Best, ...]


@dataclass(frozen=True)
class Queue:
    """What is running and what waits; ``lost`` runs wait for a worker to take them over."""

    running: Sequence[Run]
    waiting: Sequence[Run]
    running_count: int
    waiting_count: int
    lost_count: int


def project_cards() -> list[ProjectCard]:
    """Summarise every project, in four queries; the one with the newest run comes first."""
    totals = (
        Run.objects.shown()
        .order_by()
        .values_list("project")
        .annotate(
            all_runs=Count("pk"),
            active=Count("pk", filter=Q(status__in=[Status.QUEUED, Status.RUNNING])),
            newest=Max("pk"),
        )
    )
    counts = {project: (runs, active) for project, runs, active, _ in totals}
    newest = {project: run for project, *_, run in totals}
    alerts = {
        row["run__project"]: row["number"]
        for row in open_alerts().order_by().values("run__project").annotate(number=Count("pk"))
    }
    best = _best_scores()
    return [
        ProjectCard(
            project,
            *counts.get(project.pk, (0, 0)),
            alerts.get(project.pk, 0),
            tuple(best.get(project.pk, [])),
        )
        for project in sorted(Project.objects.all(), key=lambda found: -newest.get(found.pk, 0))
    ]


def queue() -> Queue:
    """Return the runs that workers hold and the next ones to come."""
    active = Run.objects.kept().not_over()
    counts = dict(active.order_by().values_list("status").annotate(number=Count("pk")))
    running = active.filter(status=Status.RUNNING).select_related("project").order_by("started_at")
    waiting = active.awaiting_worker().select_related("project")
    return Queue(
        list(running[:SHOWN_IN_QUEUE]),
        list(waiting[:SHOWN_IN_QUEUE]),
        counts.get(Status.RUNNING, 0),
        counts.get(Status.QUEUED, 0),
        counts.get(Status.LOST, 0),
    )


def open_alerts() -> AlertQuerySet:
    """Return the open alerts that nobody has acknowledged or muted, of runs that are shown."""
    return Alert.objects.of_shown_runs().unattended()


def badges() -> dict[str, int]:
    """Count, in one query, what the navigation has numbers of: open alerts but infos, waiting runs."""
    alerts = open_alerts().exclude(severity="info").order_by().annotate(kind=Value("open_alerts"))
    waiting = Run.objects.filter(status=Status.QUEUED).order_by().annotate(kind=Value("waiting_runs"))
    counted = (rows.values_list("kind").annotate(number=Count("pk")) for rows in (alerts, waiting))
    return dict(next(counted).union(*counted, all=True))


def newest_alerts() -> list[Alert]:
    """Return the newest open alerts, with their runs."""
    return list(open_alerts().select_related("run__project")[:NEWEST_ALERTS])


def _best_scores() -> dict[int, list[Best]]:
    rows = (
        Run.objects.shown()
        .exclude(headline="")
        .exclude(stop_reason="diverged")  # whose score is only the last finite value
        .annotate(unit=KeyTextTransform("target_unit", "info"))
        .order_by("dataset", "headline")
        .values("project", "dataset", "headline", "unit")
        .annotate(low=Min("score"), high=Max("score"))
    )
    best: dict[int, list[Best]] = {}
    for row in rows:
        if row["low"] is not None:
            scores = Best(row["dataset"], row["headline"], row["unit"] or "", row["low"], row["high"])
            best.setdefault(row["project"], []).append(scores)
    return best
