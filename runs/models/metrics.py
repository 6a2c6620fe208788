"""Metrics: every point of every series, in compressed chunks; the run leads every key.

A run is one contiguous range of rows: one range to read, one to delete.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from runs.models.projects import Project
from runs.models.runs import Run


class Series(models.Model):
    """One metric of a run, or of one of its layers: what it is called and what of it is sealed in chunks.

    What stands in the journal is not counted here.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="series", db_index=False)
    number = models.PositiveIntegerField(help_text="0, 1, ... within the run; names its chunks.")
    metric = models.CharField(max_length=250)
    layer = models.PositiveIntegerField(null=True, help_text="Empty for a metric of the whole run.")
    points = models.PositiveBigIntegerField(default=0)
    first_step = models.BigIntegerField(null=True)
    last_step = models.BigIntegerField(null=True)
    last = models.FloatField(null=True, help_text="Empty where it is not finite.")
    minimum = models.FloatField(null=True)
    minimum_step = models.BigIntegerField(null=True)
    maximum = models.FloatField(null=True)
    maximum_step = models.BigIntegerField(null=True)
    nonfinite = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            # Also the index of every read: all series of a run, in their order.
            models.UniqueConstraint(name="series_number_is_unique_in_run", fields=["run", "number"]),
        ]

    def __str__(self) -> str:
        return self.metric if self.layer is None else f"{self.metric} of layer {self.layer}"


class Chunk(models.Model):
    """Up to 4,096 points of a series, sealed: encoded by ``nnlab.series.codec``, then only read."""

    pk = models.CompositePrimaryKey("run_id", "series_number", "start")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    series_number = models.PositiveIntegerField()
    start = models.PositiveBigIntegerField(help_text="Points of the series before the chunk.")
    points = models.PositiveIntegerField()
    first_step = models.BigIntegerField()
    last_step = models.BigIntegerField()
    steps = models.BinaryField(null=True, help_text="Empty where they are regular.")
    data = models.BinaryField(help_text="The values.")

    class Meta:
        indexes = [
            # For windows: the chunk in which one begins. The first of a series needs no looking for, and most
            # series have no other.
            models.Index(
                name="chunk_by_step",
                fields=["run", "series_number", "first_step"],
                condition=models.Q(start__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"steps {self.first_step} to {self.last_step}"


class Pyramid(models.Model):
    """Up to 512 buckets of a series, each the least, greatest and mean value of 64 points, 512, 4,096, ...

    A cache: it can be dropped, and is then read from the chunks.
    """

    pk = models.CompositePrimaryKey("run_id", "series_number", "level", "start")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="pyramids", db_index=False)
    series_number = models.PositiveIntegerField()
    level = models.PositiveSmallIntegerField(help_text="A bucket of level k holds 64 x 8^k points.")
    start = models.PositiveBigIntegerField(help_text="Points of the series before the first bucket.")
    points = models.PositiveBigIntegerField()
    first_step = models.BigIntegerField()
    last_step = models.BigIntegerField()
    steps = models.BinaryField(null=True, help_text="First step of each bucket; empty where regular.")
    data = models.BinaryField(help_text="The buckets.")

    def __str__(self) -> str:
        return f"level {self.level}, steps {self.first_step} to {self.last_step}"


class Ledger(models.Model):
    """How much was written of a run; the row that its writers take turns at."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="ledger")
    batches = models.PositiveBigIntegerField(
        default=0, help_text="Writes so far: numbers the journal, and names a state of the run's points."
    )
    pending_batches = models.PositiveIntegerField(default=0, help_text="Rows of the journal.")
    pending_points = models.PositiveBigIntegerField(default=0, help_text="Points in them.")
    carried_points = models.PositiveBigIntegerField(
        default=0, help_text="Those among them that the last fold left for the next."
    )
    folds = models.PositiveIntegerField(default=0, help_text="Times that the journal became chunks.")
    stored_bytes = models.PositiveBigIntegerField(default=0, help_text="Of chunks and pyramid, nearly.")
    thinned = models.PositiveSmallIntegerField(
        default=0, help_text="Where its writer had to leave points out: it kept one step in 2^this."
    )

    def __str__(self) -> str:
        return f"{self.batches} writes, {self.pending_points} points pending"

    @property
    def kept_one_in(self) -> int:
        """Of so many points of the long series one was kept, where it was worst; 1 where all were."""
        return 1 << self.thinned


class Journal(models.Model):
    """What one flush or request wrote, until it becomes chunks."""

    pk = models.CompositePrimaryKey("run_id", "number")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="journal", db_index=False)
    number = models.PositiveBigIntegerField(help_text="In the order of writing.")
    points = models.PositiveIntegerField()
    batch = models.BinaryField(help_text="As nnlab.series.batch writes it.")

    class Meta:
        verbose_name_plural = "journal"

    def __str__(self) -> str:
        return f"{self.points} points"


class Writer(models.Model):
    """A program that writes into a run from outside, so that a batch that it sends again is known.

    A request without a number of its own stands here by the hash of its body.
    """

    pk = models.CompositePrimaryKey("run_id", "writer")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="writers", db_index=False)
    writer = models.CharField(max_length=36)
    last_batch = models.BigIntegerField()
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.writer}, batch {self.last_batch}"


class Name(models.Model):
    """The name of a metric or a parameter, so that the rows of the runs table are short."""

    text = models.CharField(max_length=250, unique=True)

    def __str__(self) -> str:
        return self.text


class RunMetric(models.Model):
    """How one metric of a whole run stands: what the runs table sorts and filters by."""

    pk = models.CompositePrimaryKey("run_id", "name_id")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metrics", db_index=False)
    name = models.ForeignKey(Name, on_delete=models.PROTECT, db_index=False, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    last = models.FloatField(null=True, help_text="Empty where it is not finite.")
    minimum = models.FloatField(null=True)
    maximum = models.FloatField(null=True)

    class Meta:
        indexes = [
            # For sorting and filtering the runs of a project by any metric.
            models.Index(name="metric_by_last", fields=["project", "name", "last", "run"]),
            models.Index(name="metric_by_minimum", fields=["project", "name", "minimum", "run"]),
            models.Index(name="metric_by_maximum", fields=["project", "name", "maximum", "run"]),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.last}"


class RunParam(models.Model):
    """One value of a run's configuration: what the runs table filters by."""

    pk = models.CompositePrimaryKey("run_id", "name_id")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="params", db_index=False)
    name = models.ForeignKey(Name, on_delete=models.PROTECT, db_index=False, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    number = models.FloatField(null=True, help_text="Where the value is a number.")
    text = models.CharField(max_length=250, null=True, help_text="The value in words, cut to 250 characters.")  # noqa: DJ001 - a number has none

    class Meta:
        indexes = [
            # For filtering the runs of a project by any parameter.
            models.Index(name="param_by_number", fields=["project", "name", "number", "run"]),
            models.Index(name="param_by_text", fields=["project", "name", "text", "run"]),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.text if self.number is None else self.number}"
