"""Searches: what a sweep looks for, the trials it makes, and how far each has come at the rungs."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from runs.models.runs import Run
from runs.models.sweeps import Sweep


class Search(models.Model):
    """The search of a sweep that has one.

    Its row is what is locked while trials are proposed or judged, so that both happen once.
    """

    sweep = models.OneToOneField(Sweep, primary_key=True, on_delete=models.CASCADE, related_name="search")
    metric = models.CharField(max_length=30, help_text="What trials are compared by.")
    trials_wanted = models.PositiveIntegerField(help_text="Trials that it comes to.")
    closed_at = models.DateTimeField(null=True, help_text="It makes no more trials since then.")

    class Meta:
        indexes = [
            # For the scheduler, which looks for searches that may have trials to propose.
            models.Index(name="search_open", fields=["sweep"], condition=models.Q(closed_at=None)),
        ]

    def __str__(self) -> str:
        return f"search for {self.metric}"


class Trial(models.Model):
    """One point of a search; its runs differ by their seeds."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField(help_text="From 0, in the order in which they were made.")
    point = models.JSONField(help_text="What the search chose.")
    error = models.TextField(blank=True, help_text="Why it could not be trained; it has no runs then.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["number"]
        constraints = [
            # Two proposers at once cannot make the same trial.
            models.UniqueConstraint(name="trial_number_is_its_own", fields=["search", "number"]),
        ]

    def __str__(self) -> str:
        return f"trial {self.number}"


class Mark(models.Model):
    """What a run showed when it passed a step at which it is judged."""

    class Rule(models.TextChoices):
        """What judges there."""

        HALVING = "halving"
        MEDIAN = "median"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="marks")
    rule = models.CharField(max_length=10, choices=Rule)
    level = models.PositiveSmallIntegerField(help_text="0 for the first such step.")
    step = models.PositiveBigIntegerField(help_text="Of the evaluation that counts.")
    value = models.FloatField(
        null=True, help_text="The metric there; the best so far for the median. Empty if not finite."
    )
    average = models.FloatField(null=True, help_text="For the median: the mean up to there.")

    class Meta:
        constraints = [
            # A run that is trained again passes its marks once.
            models.UniqueConstraint(name="mark_is_passed_once", fields=["run", "rule", "level"]),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.level} at step {self.step}"


class Rung(models.Model):
    """The judgement of a trial at a rung of successive halving."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="rungs")
    level = models.PositiveSmallIntegerField(help_text="0 for the first rung.")
    score = models.FloatField(null=True, help_text="Mean over its seeds; empty if one was not finite.")
    goes_on = models.BooleanField()
    arrived = models.PositiveIntegerField(help_text="Trials that had arrived, itself among them.")
    judged_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="rung_is_judged_once", fields=["trial", "level"]),
        ]

    def __str__(self) -> str:
        return f"rung {self.level}: {'on' if self.goes_on else 'halved'}"
