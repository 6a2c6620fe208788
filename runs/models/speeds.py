"""Speeds: how long steps took in short probes, so that no shape of network is probed twice on a machine."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Speed(models.Model):
    """What a probe measured of one kind of run, with one version of the engine, on one host."""

    engine = models.CharField(max_length=12)
    host = models.CharField(max_length=200)
    shape = models.CharField(max_length=16, help_text="The engine's name of the network's shape.")
    parameters = models.PositiveBigIntegerField()
    data = models.CharField(max_length=12, help_text="Hash of the data's configuration.")
    company = models.BooleanField(help_text="Trained together with others of its shape.")
    step = models.FloatField(help_text="Seconds, like the next two.")
    look = models.FloatField(help_text="Of an evaluation that looks into units and answers.")
    brief = models.FloatField(help_text="Of one that tells loss and score alone.")
    counted_step = models.FloatField(help_text="Seconds by the count of its operations, to compare with.")
    counted_evaluation = models.FloatField(help_text="Likewise.")
    spread = models.FloatField(help_text="How far off the step's time may be, as a share of it.")
    measured_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="speed_is_kept_once",
                fields=["engine", "host", "shape", "parameters", "data", "company"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step:.3g} s a step on {self.host}"
