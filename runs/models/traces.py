"""Traces: what the health checks read of a run that no chart shows."""

from __future__ import annotations

from django.db import models

from runs.models.runs import Run


class Trace(models.Model):
    """What one flush of the recorder brought of it, so that a run can be judged again later."""

    pk = models.CompositePrimaryKey("run_id", "number")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="traces", db_index=False)
    number = models.PositiveBigIntegerField(help_text="In the order of writing.")
    data = models.BinaryField(help_text="As runs.store.trace writes it.")

    def __str__(self) -> str:
        return f"trace {self.number}"
