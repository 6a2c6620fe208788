"""Attempts: each try of a worker, or of a program outside, at a run."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runs.models.runs import Run
from runs.models.workers import Worker


class Outcome(models.TextChoices):
    """How an attempt ended.

    Lost is one whose worker fell silent; given back one whose worker was stopped, or could not go on with it.
    """

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    LOST = "lost"
    GIVEN_BACK = "given back"


class Attempt(models.Model):
    """One try at a run, kept when the run goes on elsewhere.

    ``runs.lifecycle`` writes it in the transaction that changes the run, so the two never disagree.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField(
        help_text="Among all of the run; being queued again by hand begins no new count."
    )
    worker = models.ForeignKey(
        Worker,
        null=True,
        on_delete=models.SET_NULL,
        related_name="attempts",
        help_text="As long as its row is kept.",
    )
    process = models.CharField(
        max_length=200, blank=True, help_text="Host and process; empty for a program outside."
    )
    device = models.CharField(max_length=100, blank=True)
    tier = models.CharField(max_length=10, blank=True)
    isa = models.CharField(max_length=20, blank=True)
    versions = models.JSONField(default=dict, help_text="nnlab, engine, schema, python, numpy.")
    began_after = models.PositiveBigIntegerField(
        default=0, help_text="The step that it went on from; 0 where it began anew."
    )
    note = models.TextField(
        blank=True, help_text="Why it did not go on from a checkpoint, or why none is kept; else empty."
    )
    last_step = models.PositiveBigIntegerField(default=0, help_text="How far it came.")
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    outcome = models.CharField(
        max_length=10, choices=Outcome, blank=True, help_text="Empty while it goes on."
    )
    reason = models.CharField(max_length=20, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["run_id", "number"]
        constraints = [
            models.UniqueConstraint(name="attempt_number_is_unique_in_run", fields=["run", "number"]),
            # Also for every change of a run that ends its attempt.
            models.UniqueConstraint(
                name="run_has_one_attempt_at_a_time", fields=["run"], condition=Q(ended_at=None)
            ),
            models.CheckConstraint(
                name="attempt_has_outcome_iff_ended",
                condition=Q(outcome="", ended_at=None) | (~Q(outcome="") & Q(ended_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} at run {self.run_id}"

    @property
    def host(self) -> str:
        """Name of the machine; empty for a program outside."""
        return self.process.rpartition(":")[0]
