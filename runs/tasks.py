"""The Celery tasks: thin, and safe to deliver twice."""

from __future__ import annotations

import logging
import os
import socket

from celery.exceptions import SoftTimeLimitExceeded

from nnlab.celery import app
from nnlab.data.errors import DataError
from nnlab.engine.errors import EngineError
from runs import lifecycle, training
from runs.queue import TRAIN_TASK

logger = logging.getLogger(__name__)


@app.task(name=TRAIN_TASK)
def train_run(run_id: int) -> None:
    """Train one run to its end. Only one claim wins, so a second delivery does nothing."""
    token = lifecycle.claim(run_id, f"{socket.gethostname()}:{os.getpid()}")
    if token is None:
        logger.info("run %s does not wait for a worker; nothing to do", run_id)
        return
    try:
        training.train_claimed(run_id, token)
    except (EngineError, DataError) as error:  # the configuration's fault: its owner is told, nobody is woken
        lifecycle.fail(run_id, token, "error", str(error))
    except SoftTimeLimitExceeded:
        limit = app.conf.task_soft_time_limit
        lifecycle.fail(
            run_id, token, "time limit", f"The run took longer than {limit:,} s; ask for fewer steps."
        )
    except Exception as error:
        lifecycle.fail(run_id, token, "error", f"{type(error).__name__}: {error}")
        raise
