"""Metrics: every point of every series, in compressed chunks; the run leads every key.

A run is one contiguous range of rows: one range to read, one to delete.
"""

from __future__ import annotations

from django.db import models

from runs.models.runs import Run


class Series(models.Model):
    """One metric of a run, or of one of its layers: what it is called and how it stands."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="series", db_index=False)
    number = models.PositiveIntegerField(help_text="0, 1, ... within the run; names its chunks.")
    metric = models.CharField(max_length=60)
    layer = models.PositiveIntegerField(null=True, help_text="Empty for a metric of the whole run.")
    points = models.PositiveBigIntegerField()
    first_step = models.BigIntegerField()
    last_step = models.BigIntegerField()
    last = models.FloatField(null=True, help_text="Empty where it is not finite.")
    minimum = models.FloatField(null=True)
    maximum = models.FloatField(null=True)
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
    """Up to 4,096 points of a series, encoded by ``nnlab.series.codec``; the last of a series is open."""

    pk = models.CompositePrimaryKey("run_id", "series_number", "sequence")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    series_number = models.PositiveIntegerField()
    sequence = models.PositiveIntegerField(help_text="0, 1, ... within the series.")
    first_step = models.BigIntegerField()
    last_step = models.BigIntegerField()
    points = models.PositiveIntegerField()
    steps = models.BinaryField()
    values = models.BinaryField()

    def __str__(self) -> str:
        return f"steps {self.first_step} to {self.last_step}"
