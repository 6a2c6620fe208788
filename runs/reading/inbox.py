"""The inbox: alerts of all projects, by what somebody wants to see of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.core.paginator import Page, Paginator
from django.db.models import Case, IntegerField, QuerySet, Value, When

from nnlab.health.checks.catalogue import CHECKS
from runs.models import Alert, Mute
from runs.models.alerts import AlertQuerySet

ALERTS_PER_PAGE = 50
MOST_MUTED = 50  # shown in the fold
SEVERITIES = ("critical", "warning", "info")
STATES = ("open", "acknowledged", "resolved")
CHECK_IDS = tuple(sorted(check.id for check in CHECKS))


@dataclass(frozen=True)
class Wanted:
    """What the inbox is filtered by; an empty text leaves a filter out, and so does a word it does not know.

    Args:
        state: ``open`` is open and not acknowledged, what badges count.
        project: its slug.
    """

    severity: str = ""
    state: str = ""
    check: str = ""
    project: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The filters as an address has them."""
        return asdict(self)

    def choose(self, alerts: AlertQuerySet) -> AlertQuerySet:
        """Apply the filters."""
        if self.severity in SEVERITIES:
            alerts = alerts.filter(severity=self.severity)
        if self.state in STATES:
            alerts = alerts.filter(state="resolved" if self.state == "resolved" else "open")
        if self.state in {"open", "acknowledged"}:
            alerts = alerts.filter(acknowledged_at__isnull=self.state == "open")
        if self.check:
            alerts = alerts.filter(check_id=self.check)
        return alerts.filter(run__project__slug=self.project) if self.project else alerts


def inbox(wanted: Wanted, page: str) -> Page[Alert]:
    """Return a page of the alerts that are not muted: open ones first, by severity, then the newest."""
    return Paginator(_ranked(wanted).not_muted(), ALERTS_PER_PAGE).get_page(page)


def muted(wanted: Wanted) -> tuple[int, list[Alert]]:
    """Count the muted alerts that the filters let through, and return the first of them."""
    alerts = _ranked(wanted).muted()
    return alerts.count(), list(alerts[:MOST_MUTED])


def standing_orders(wanted: Wanted) -> QuerySet[Mute]:
    """Return the checks that are muted in whole projects."""
    orders = Mute.objects.in_force().select_related("project", "created_by")
    return orders.filter(project__slug=wanted.project) if wanted.project else orders


def _ranked(wanted: Wanted) -> AlertQuerySet:
    rank = Case(
        *(When(severity=name, then=Value(place)) for place, name in enumerate(SEVERITIES)),
        output_field=IntegerField(),
    )
    is_resolved = Case(When(state="open", then=Value(0)), default=Value(1), output_field=IntegerField())
    alerts = Alert.objects.of_kept_runs().select_related("run__project", "acknowledged_by", "muted_by")
    return wanted.choose(alerts.order_by(is_resolved, rank, "-pk"))
