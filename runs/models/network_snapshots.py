"""Snapshots of networks: what a few evaluations saw of the weights and of what the units do."""

from __future__ import annotations

from django.db import models

from runs.models.runs import Run


class NetworkSnapshot(models.Model):
    """A run's network after a step."""

    pk = models.CompositePrimaryKey("run_id", "step")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="snapshots", db_index=False)
    step = models.PositiveBigIntegerField()
    data = models.BinaryField(help_text="As runs.store.network_snapshots writes it.")

    def __str__(self) -> str:
        return f"network of run {self.run_id} at step {self.step}"
