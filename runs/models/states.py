"""What can be said of a run in one word: where it stands, what trains it, who takes it."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    """Where a run stands.

    Lost is a running run whose worker fell silent; a paused one waits until somebody lets it go on.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


ACTIVE = (Status.QUEUED, Status.RUNNING, Status.PAUSED, Status.LOST)
OVER = (Status.FINISHED, Status.FAILED, Status.CANCELLED)
HALTED = ("halved", "stop rule")  # stop reasons of runs that a search did not let train to their ends


class Source(models.TextChoices):
    """What trains a run: nnlab's own engine, or a program outside that logs its metrics here."""

    ENGINE = "engine"
    OUTSIDE = "outside"


class Queue(models.TextChoices):
    """What a run is to be trained on: the workers of this queue take it."""

    CPU = "cpu"
    GPU = "gpu"


MAX_PRIORITY = 100  # of a run, and with a minus sign the least
