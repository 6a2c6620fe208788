"""The demonstration's runs: submitted once, counted while they train, and judged at the end."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db.models import Count, Q, Sum

from runs import submission
from runs.models import Alert, Run, Status, Sweep
from runs.reading.sweeps import shown_sweeps
from runs.submitted.specification import Specification

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Progress:
    """How far the demonstration is."""

    total: int
    over: int
    failed: int
    steps_run: int
    steps_requested: int
    alerts: int

    @property
    def is_over(self) -> bool:
        """Whether every run has ended."""
        return self.over == self.total


def specifications() -> list[Specification]:
    """Read and check the demonstration's sweeps, in the order in which they are submitted."""
    return [submission.parse(tomllib.loads(path.read_text())) for path in sorted(FOLDER.glob("*.toml"))]


def ensure_submitted() -> tuple[list[Sweep], bool]:
    """Return the demonstration's sweeps, and whether they had to be submitted now."""
    specs = specifications()
    known = {
        (sweep.project.slug, sweep.name): sweep
        for sweep in shown_sweeps().select_related("project").reverse()
    }
    found = [known.get((submission.project_slug(spec.project), spec.name)) for spec in specs]
    sweeps = [sweep for sweep in found if sweep is not None]
    if len(sweeps) == len(specs):
        return sweeps, False
    owner = get_user_model().objects.filter(is_superuser=True).order_by("pk").first()
    return [
        sweep if sweep is not None else submission.submit(spec, owner)
        for sweep, spec in zip(found, specs, strict=True)
    ], True


def progress(sweeps: list[Sweep]) -> Progress:
    """Count runs, steps and open alerts of the demonstration."""
    runs = Run.objects.kept().filter(sweep__in=sweeps)
    counts = runs.aggregate(
        total=Count("pk"),
        over=Count("pk", filter=Q(ended_at__isnull=False)),
        failed=Count("pk", filter=Q(status__in=[Status.FAILED, Status.CANCELLED])),
        steps_run=Sum("steps_run", default=0),
        steps_requested=Sum("steps_requested", default=0),
    )
    alerts = Alert.objects.filter(run__in=runs, state="open").exclude(severity="info").count()
    return Progress(alerts=alerts, **counts)
