"""The Celery application. Tasks write ``from nnlab.celery import app``."""

from __future__ import annotations

import logging
import os

from celery import Celery
from celery.signals import heartbeat_sent, worker_process_init, worker_ready

from nnlab import healthcheck
from nnlab.supervisor import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")

logger = logging.getLogger(__name__)

app = Celery("nnlab")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["runs"])


@worker_process_init.connect
def _end_with_the_worker(**_: object) -> None:
    """A pool process must not outlive its worker: nobody would supervise it."""
    die_with_parent()


@worker_ready.connect
def _name_the_engine(**_: object) -> None:
    from nnlab import versions  # noqa: PLC0415 - it brings NumPy, which a web server need not load for its tasks

    logger.info("Engine: %s", versions.engine())


@heartbeat_sent.connect
def _show_life(**_: object) -> None:
    healthcheck.show_life("worker")
