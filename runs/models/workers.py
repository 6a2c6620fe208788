"""Workers: the process trees that take runs from the queue, and the code that they are expected to run."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from runs.models.durations import Seconds


class Release(models.Model):
    """The code of this installation since it was last prepared; the newest row counts.

    Workers may run on many hosts: one whose engine or database schema is another leaves the runs alone.
    """

    nnlab = models.CharField(max_length=40, help_text="Version of the package.")
    engine = models.CharField(max_length=12, help_text="Hash of the code that results depend on.")
    schema = models.CharField(max_length=100, help_text="Newest migration of the database.")
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"nnlab {self.nnlab}, engine {self.engine}, database {self.schema}"

    @property
    def versions(self) -> dict[str, str]:
        """The same as a worker says them."""
        return {"nnlab": self.nnlab, "engine": self.engine, "schema": self.schema}


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Questions that are asked of many workers."""

    def present(self) -> WorkerQuerySet:
        """Return the workers that were neither stopped nor taken for gone."""
        return self.filter(ended_at=None)

    def with_silence(self) -> WorkerQuerySet:
        """Let each tell, by the database's clock, for how many seconds nothing was heard of it."""
        silence = {"silence": Seconds(Now(), F("seen_at"))}
        return self.annotate(**silence)


class Worker(models.Model):
    """One worker: a main process, which writes this row every few seconds, and the processes that train.

    Only ``runs.workers`` writes it.
    """

    class Ending(models.TextChoices):
        """How a worker left. A frozen one that comes back after it was taken for gone is present again."""

        STOPPED = "stopped"
        GONE = "gone"

    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField(help_text="Of the main process.")
    queues = models.JSONField(default=list, help_text="Whose messages it takes.")
    concurrency = models.PositiveIntegerField(help_text="Processes that train.")
    device = models.CharField(max_length=100, blank=True)
    tier = models.CharField(max_length=10, blank=True, help_text="What trains there: numpy, native, cupy.")
    isa = models.CharField(max_length=20, blank=True, help_text="Instruction set of the native tier.")
    versions = models.JSONField(default=dict, help_text="nnlab, engine, schema, python, numpy.")
    cores = models.PositiveIntegerField(help_text="Of the host.")
    load = models.FloatField(null=True, help_text="Of the host, over the last minute.")
    memory_bytes = models.PositiveBigIntegerField(null=True, help_text="Of all its processes.")
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Last heartbeat.")
    ended_at = models.DateTimeField(null=True, editable=False)
    ending = models.CharField(max_length=10, choices=Ending, blank=True)

    objects = WorkerQuerySet.as_manager()
    silence: float  # seconds, where with_silence was asked

    class Meta:
        ordering = ["host", "pid", "pk"]
        constraints = [
            models.CheckConstraint(
                name="worker_has_ending_iff_ended",
                condition=Q(ending="", ended_at=None) | (~Q(ending="") & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [
            # For claims, which name the worker that they are of, and for who counts those at work.
            models.Index(name="worker_present", fields=["host", "pid"], condition=Q(ended_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
