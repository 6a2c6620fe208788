"""Alerts: what the health checks found in a run, one row per check, and what people did about it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from runs.models.projects import Project
from runs.models.runs import Run


class Severity(models.TextChoices):
    """info is shown only; warning is likely harm; critical cannot succeed as configured."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def _in_force(end: str) -> Q:
    """Ask for what has no end, or one that has yet to come."""
    return Q(**{end: None}) | Q(**{f"{end}__gt": Now()})


class AlertQuerySet(models.QuerySet["Alert"]):
    """Questions that are asked of many alerts."""

    def of_kept_runs(self) -> AlertQuerySet:
        """Return the alerts of runs that are not in the trash."""
        return self.exclude(run__in=Run.objects.in_trash())  # mostly a handful, found by an index of its own

    def of_shown_runs(self) -> AlertQuerySet:
        """Return the alerts of runs that are neither in the trash nor archived."""
        return self.of_kept_runs().exclude(run__in=Run.objects.archived())

    def muted(self) -> AlertQuerySet:
        """Return the alerts that are muted, for ever or until a time to come."""
        return self.filter(_in_force("muted_until"), muted_at__isnull=False)

    def not_muted(self) -> AlertQuerySet:
        """Return the alerts that may be counted and told of."""
        return self.filter(Q(muted_at=None) | Q(muted_until__lte=Now()))

    def unattended(self) -> AlertQuerySet:
        """Return the alerts that are open and that nobody has acknowledged or muted: what badges count."""
        return self.not_muted().filter(state="open", acknowledged_at=None)


class Alert(models.Model):
    """The stored record of one check of one run; repeats update it.

    The worker writes what the check says. Acknowledged and muted are people's words about it: they change
    what is counted and told, never what the check does.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="alerts", db_index=False)
    check_id = models.CharField(max_length=40, help_text="The rule, such as 'vanishing'.")
    state = models.CharField(max_length=10, choices=[("open", "open"), ("resolved", "resolved")])
    severity = models.CharField(max_length=10, choices=Severity)
    first_step = models.BigIntegerField()
    opened_step = models.BigIntegerField()
    last_step = models.BigIntegerField()
    resolved_step = models.BigIntegerField(null=True)
    count = models.PositiveIntegerField(default=1, help_text="Events so far.")
    layers = models.JSONField(default=list)
    layer_names = models.JSONField(default=list)
    value = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    worst_value = models.FloatField(
        null=True, help_text="The value that lay furthest beyond the threshold so far."
    )
    title = models.CharField(max_length=1000, help_text="Names up to 64 layers.")
    cause = models.TextField()
    evidence = models.JSONField(default=dict)
    advice = models.JSONField(default=list)
    thresholds_hash = models.CharField(max_length=12)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    acknowledged_at = models.DateTimeField(null=True, editable=False)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    muted_at = models.DateTimeField(null=True, editable=False)
    muted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    mute_reason = models.CharField(max_length=200, blank=True, editable=False)
    muted_until = models.DateTimeField(null=True, editable=False, help_text="Empty for ever.")

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # Also the index of the run page.
            models.UniqueConstraint(name="alert_is_unique_per_run_and_check", fields=["run", "check_id"]),
            models.CheckConstraint(
                name="alert_resolved_iff_it_has_a_resolved_step",
                condition=Q(state="open", resolved_step=None)
                | Q(state="resolved", resolved_step__isnull=False),
            ),
        ]
        indexes = [
            # For the inbox and the badge in the navigation.
            models.Index(name="alert_open_newest", fields=["-id"], condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of its card on the run's page."""
        return f"{self.run.get_absolute_url()}#alert-{self.pk}"

    @property
    def is_muted(self) -> bool:
        """Whether it is muted now: a mute may have an end."""
        return self.muted_at is not None and (self.muted_until is None or self.muted_until > timezone.now())

    @property
    def at_end(self) -> bool:
        """Whether the run ended with it open. It needs its run."""
        return self.state == "open" and self.run.is_over

    @property
    def reopened(self) -> int:
        """How often it opened again after it had resolved."""
        return int(self.evidence.get("reopened") or 0)


class MuteQuerySet(models.QuerySet["Mute"]):
    """Questions that are asked of many standing orders."""

    def in_force(self) -> MuteQuerySet:
        """Return the orders whose end has not come."""
        return self.filter(_in_force("until"))


class Mute(models.Model):
    """A standing order: what this check finds in this project is muted from the start."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="mutes", db_index=False)
    check_id = models.CharField(max_length=40)
    reason = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    until = models.DateTimeField(null=True, editable=False, help_text="Empty for ever.")

    objects = MuteQuerySet.as_manager()

    class Meta:
        ordering = ["project", "check_id"]
        constraints = [
            # Also the index by which a worker asks when an alert opens.
            models.UniqueConstraint(name="check_is_muted_once_a_project", fields=["project", "check_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.check_id} in {self.project_id}"
