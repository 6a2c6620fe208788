"""Runs: one configuration and one seed, from the moment it is queued until it ends."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse

from runs.models.durations import Seconds
from runs.models.projects import Project
from runs.models.states import ACTIVE, HALTED, MAX_PRIORITY, OVER, Queue, Source, Status
from runs.models.sweeps import Sweep

__all__ = ["ACTIVE", "HALTED", "MAX_PRIORITY", "OVER", "Queue", "Run", "RunQuerySet", "Source", "Status"]


class RunQuerySet(models.QuerySet["Run"]):
    """Questions that are asked of many runs."""

    def awaiting_worker(self) -> RunQuerySet:
        """Return the queued runs, the next to be taken first."""
        return self.filter(status=Status.QUEUED).in_order_of_queue()

    def in_order_of_queue(self) -> RunQuerySet:
        """Sort as workers take runs: by priority, then by place."""
        return self.order_by("-priority", "place", "pk")

    def not_over(self) -> RunQuerySet:
        """Return the runs that still have something before them."""
        return self.filter(status__in=ACTIVE)

    def kept(self) -> RunQuerySet:
        """Return the runs that are not in the trash, the archived ones among them."""
        return self.filter(deleted_at=None)

    def shown(self) -> RunQuerySet:
        """Return the kept runs that nobody has archived: what is shown unless archived runs are asked for."""
        return self.filter(deleted_at=None, archived_at=None)

    def archived(self) -> RunQuerySet:
        """Return the runs that somebody has archived."""
        return self.filter(archived_at__isnull=False)

    def in_trash(self) -> RunQuerySet:
        """Return the deleted runs that are not purged yet."""
        return self.filter(deleted_at__isnull=False)


class Run(models.Model):
    """One training job.

    Only ``runs.lifecycle`` changes status, token, attempt and the timestamps; every write of a worker
    carries the token of its claim, so that a worker that was given up cannot write any more.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    sweep = models.ForeignKey(Sweep, on_delete=models.CASCADE, related_name="runs")
    trial = models.ForeignKey(
        "Trial",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="runs",
        help_text="The point of a search that it trains.",
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="clones"
    )
    name = models.CharField(max_length=100)
    source = models.CharField(max_length=10, choices=Source, default=Source.ENGINE)
    client_id = models.UUIDField(
        null=True,
        unique=True,
        editable=False,
        help_text="What an outside program named the run when it began it.",
    )
    deleted_at = models.DateTimeField(
        null=True, editable=False, help_text="In the trash since then; it can be restored until it is purged."
    )
    archived_at = models.DateTimeField(
        null=True, editable=False, help_text="Out of the way since then, with all it has; not deleted."
    )
    purge_began_at = models.DateTimeField(
        null=True, editable=False, help_text="Its points are being removed since then; it cannot be restored."
    )
    config = models.JSONField(
        help_text="{'data': DataConfig, 'training': TrainingConfig}; of an outside run whatever it told."
    )

    # Taken out of the configuration, to filter, group and sort by. Empty where an outside run did not say.
    group = models.CharField(max_length=12, help_text="Hash of the configuration without the seed.")
    dataset = models.CharField(max_length=250, blank=True)
    depth = models.PositiveIntegerField(null=True, help_text="Hidden layers.")
    width = models.PositiveIntegerField(
        null=True, help_text="Units of each hidden layer; empty where they differ."
    )
    activation = models.CharField(max_length=100, blank=True)
    dropout = models.FloatField(null=True, help_text="Drop probability; empty where layers differ.")
    optimizer = models.CharField(max_length=20, blank=True)
    learning_rate = models.FloatField(null=True)
    batch_size = models.PositiveIntegerField(null=True)
    seed = models.BigIntegerField(null=True)
    parameters = models.PositiveBigIntegerField(null=True)
    steps_requested = models.PositiveBigIntegerField(null=True)
    shape_key = models.CharField(
        max_length=16,
        blank=True,
        editable=False,
        help_text="The engine's name of the network's shape; runs of a sweep with equal keys can be trained"
        " together. Empty for a run that has to be trained alone.",
    )

    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=0, help_text="Tries of a worker so far.")
    token = models.UUIDField(null=True, editable=False, help_text="Fencing token of the present attempt.")
    worker = models.CharField(max_length=200, blank=True, help_text="Host and process of the last attempt.")
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="The worker is silent if this has passed."
    )
    cancel_requested = models.BooleanField(default=False)
    pause_requested = models.BooleanField(default=False)
    queue = models.CharField(
        max_length=10, choices=Queue, default=Queue.CPU, help_text="Whose workers take it."
    )
    priority = models.SmallIntegerField(
        default=0,
        validators=[MinValueValidator(-MAX_PRIORITY), MaxValueValidator(MAX_PRIORITY)],
        help_text="-100 to 100; the highest is taken first.",
    )
    place = models.FloatField(
        default=0.0, editable=False, help_text="Order of the queue among runs of one priority."
    )
    time_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Seconds that an attempt may take; empty for the installation's limit.",
    )
    memory_limit_mb = models.PositiveIntegerField(
        null=True, blank=True, help_text="That training may take; empty for the installation's limit."
    )
    expected_seconds = models.FloatField(
        null=True, editable=False, help_text="Of a process, as was expected when it was submitted."
    )
    queued_at = models.DateTimeField(db_default=Now(), editable=False)
    tier = models.CharField(
        max_length=10, blank=True, default="", help_text="What trains it: numpy, native, cupy."
    )
    isa = models.CharField(
        max_length=20, blank=True, default="", help_text="Instruction set of the native tier."
    )
    probe_share = models.FloatField(
        null=True, blank=True, help_text="Share of the training time that the probes took, 0 to 1."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(
        max_length=20, blank=True, help_text="end, early stop, diverged, cancelled, error, worker lost."
    )
    error = models.TextField(blank=True, help_text="Why the run failed, in words for its owner.")

    steps_run = models.PositiveBigIntegerField(default=0)
    info = models.JSONField(default=dict, help_text="What is known before step 1: layers, rows, baseline.")
    summary = models.JSONField(default=dict, help_text="Last value of each run-wide metric, for display.")
    headline = models.CharField(max_length=30, blank=True, help_text="The metric the run is judged by.")
    score = models.FloatField(null=True, help_text="Last finite value of the headline metric.")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        permissions = [("stop_run", "Can stop runs")]
        constraints = [
            models.CheckConstraint(name="run_status_is_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(
                name="run_has_token_iff_running",
                condition=Q(status="running", token__isnull=False, lease_until__isnull=False)
                | (~Q(status="running") & Q(token=None, lease_until=None)),
            ),
            models.CheckConstraint(
                name="run_started_if_it_ran",
                condition=~Q(status__in=["running", "finished"]) | Q(started_at__isnull=False),
            ),
            models.CheckConstraint(
                name="run_ended_iff_over",
                condition=Q(status__in=ACTIVE, ended_at=None) | Q(status__in=OVER, ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="run_priority_is_in_range",
                condition=Q(priority__gte=-MAX_PRIORITY, priority__lte=MAX_PRIORITY),
            ),
            models.CheckConstraint(
                name="run_ends_after_it_starts",
                condition=Q(started_at=None) | Q(ended_at=None) | Q(ended_at__gte=F("started_at")),
            ),
        ]
        indexes = [
            # For the reconciler, which looks only at runs that should be alive.
            models.Index(name="run_lease", fields=["lease_until"], condition=Q(status="running")),
            # For the queue: the next to claim, and how many wait.
            models.Index(
                name="run_queue", fields=["queue", "-priority", "place", "id"], condition=Q(status="queued")
            ),
            # For a worker that looks for runs to train along with the one that it holds.
            models.Index(
                name="run_bucket",
                fields=["sweep", "shape_key", "-priority", "place", "id"],
                condition=Q(status="queued"),
            ),
            # For the runs that ended last.
            models.Index(
                name="run_ended",
                fields=["-ended_at", "-id"],
                condition=Q(ended_at__isnull=False, deleted_at=None),
            ),
            # For what past runs of a kind took.
            models.Index(name="run_past", fields=["shape_key"], condition=Q(status="finished")),
            # For the trash, and for leaving it out.
            models.Index(name="run_in_trash", fields=["deleted_at"], condition=Q(deleted_at__isnull=False)),
            # For the archived runs, and for leaving them out.
            models.Index(
                name="run_archived", fields=["project", "-id"], condition=Q(archived_at__isnull=False)
            ),
            # For the runs table: newest first within a project, and all that it counts, sorts and filters
            # by, so that it never looks into the wide rows of runs that are not on the page.
            models.Index(
                name="run_table",
                fields=[
                    *("project", "deleted_at", "-id", "archived_at", "group", "headline"),
                    *("name", "sweep", "status", "stop_reason", "score"),
                    *("dataset", "depth", "width", "activation", "dropout", "optimizer", "learning_rate"),
                    *("seed", "parameters", "started_at", "ended_at"),
                ],
            ),
            # For the runs table by the time that they took; the narrowest of a project's runs, to count them.
            models.Index(
                *("project", Seconds("ended_at", "started_at"), "id"),
                name="run_took",
                condition=Q(deleted_at=None, archived_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the run's page."""
        return reverse("run", args=[self.pk])

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self.status in OVER

    @property
    def diverged(self) -> bool:
        """Whether the run ended because its numbers stopped being finite."""
        return self.stop_reason == "diverged"

    @property
    def was_halted(self) -> bool:
        """Whether a search stopped it before its end: its score is of less training than others'."""
        return self.stop_reason in HALTED

    @property
    def host(self) -> str:
        """Name of the machine of the last attempt; empty before the first."""
        return self.worker.rpartition(":")[0]

    @property
    def progress(self) -> float:
        """Share of the requested steps that were run, 0 to 1."""
        return min(1.0, self.steps_run / self.steps_requested) if self.steps_requested else 0.0

    @property
    def training(self) -> dict[str, Any]:
        """The training part of the configuration."""
        return dict(self.config["training"])


class QueuedRun(Run):
    """A run that is not over, as the admin lists the queue."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "run in the queue"
        verbose_name_plural = "queue"
