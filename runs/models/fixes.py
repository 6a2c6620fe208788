"""Fixes: an alert's advice, followed on paired seeds to see whether it helps."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from runs.models.runs import Run
from runs.models.sweeps import Sweep


class Fix(models.Model):
    """One trial of an advice, or of several together, of the alert that a run has for a check.

    Run and check name the alert: its row is written anew when the run is trained anew.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="fixes")
    check_id = models.CharField(max_length=40)
    codes = models.JSONField(help_text="Of the advice that was followed, such as ['A1'].")
    title = models.CharField(max_length=500, help_text="The advice in words.")
    ops = models.JSONField(help_text="The changes of the configuration.")
    sweep = models.ForeignKey(
        Sweep, null=True, on_delete=models.SET_NULL, related_name="fixes", help_text="Of the runs it needed."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "fixes"

    def __str__(self) -> str:
        return self.title


class FixPair(models.Model):
    """One seed of a fix: the run with the original configuration, and the one with the changed."""

    fix = models.ForeignKey(Fix, on_delete=models.CASCADE, related_name="pairs", db_index=False)
    seed = models.BigIntegerField()
    before = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="pairs_before")
    after = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="pairs_after")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="fix_has_a_seed_once", fields=["fix", "seed"]),
        ]

    def __str__(self) -> str:
        return f"seed {self.seed}"
