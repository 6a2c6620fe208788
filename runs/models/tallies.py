"""Tallies: what counters owe to rows that are purged, so that they never fall."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """A number that only grows; ``runs.store.tallies`` says what its name stands for."""

    name = models.CharField(max_length=100, primary_key=True)
    value = models.FloatField()

    class Meta:
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"{self.name}: {self.value:g}"
