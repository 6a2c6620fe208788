"""The Celery application. Tasks write ``from nnlab.celery import app``."""

from __future__ import annotations

import logging
import logging.config
import os
import socket
from typing import Any

from celery import Celery
from celery.signals import (
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_ready,
)
from django.conf import settings

from nnlab import broker, healthcheck, logs
from nnlab import threads as threads  # noqa: PLC0414 - it only has to be imported, before NumPy is
from nnlab.supervisor import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nnlab.settings")

logger = logging.getLogger(__name__)

broker.install()
app = Celery("nnlab")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["runs"])


@setup_logging.connect
def _log_as_all_do(**_: object) -> None:
    """Write a worker's log as the web server's: Celery would set up formats of its own."""
    logging.config.dictConfig(settings.LOGGING)


@celeryd_init.connect
def _print_nothing_beside(instance: Any, **_: object) -> None:
    """Where machines read, everything is a line of JSON: warnings too, and no banner."""
    if settings.LOG_FORMAT == "json":
        _log_as_all_do()
        logging.captureWarnings(True)
        instance.quiet = True


@task_prerun.connect
def _name_the_task(task_id: str, **_: object) -> None:
    logs.bind(task_id=task_id, worker=f"{socket.gethostname()}:{os.getpid()}")


@task_postrun.connect
def _forget_the_task(**_: object) -> None:
    logs.forget()


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
