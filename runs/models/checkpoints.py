"""Checkpoints: how far a run has come, so that another attempt can go on from there."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from runs.models.runs import Run


class Checkpoint(models.Model):
    """The newest whole checkpoint of a run; its bytes are the parts of its number.

    Parts of another number are those of a checkpoint that was never completed.
    """

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="checkpoint")
    number = models.PositiveBigIntegerField(help_text="Names its parts; the next one's is greater.")
    step = models.PositiveBigIntegerField(help_text="Up to this one everything of the run is stored.")
    size = models.PositiveBigIntegerField(help_text="Bytes of all parts.")
    origin = models.JSONField(help_text="What its bytes depend on: engine, NumPy, tier, isa, data.")
    health = models.CharField(max_length=12, help_text="Hash of the health rules that watched the run.")
    summary = models.JSONField(help_text="The run's summary at this step.")
    saved_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"checkpoint of run {self.run_id} at step {self.step}"


class CheckpointPart(models.Model):
    """A piece of a checkpoint's bytes: no database likes values of hundreds of megabytes."""

    pk = models.CompositePrimaryKey("run_id", "number", "part")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="checkpoint_parts", db_index=False)
    number = models.PositiveBigIntegerField(help_text="Of the checkpoint.")
    part = models.PositiveIntegerField(help_text="0, 1, ... in the order of the bytes.")
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"part {self.part} of checkpoint {self.number} of run {self.run_id}"
