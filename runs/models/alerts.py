"""Alerts: what the health checks found in a run, one row per check."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runs.models.runs import Run


class Severity(models.TextChoices):
    """info is shown only; warning is likely harm; critical cannot succeed as configured."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertQuerySet(models.QuerySet["Alert"]):
    """Questions that are asked of many alerts."""

    def of_kept_runs(self) -> AlertQuerySet:
        """Return the alerts of runs that are not in the trash."""
        return self.exclude(run__in=Run.objects.in_trash())  # mostly a handful, found by an index of its own


class Alert(models.Model):
    """The stored record of one check of one run; repeats update it."""

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
    title = models.CharField(max_length=1000, help_text="Names up to 64 layers.")
    cause = models.TextField()
    evidence = models.JSONField(default=dict)
    advice = models.JSONField(default=list)
    thresholds_hash = models.CharField(max_length=12)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

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
