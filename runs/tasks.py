"""The Celery tasks: thin, and safe to deliver twice."""

from __future__ import annotations

import logging
import os
import socket
import traceback
from time import sleep

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import celeryd_after_setup, worker_process_init, worker_ready

from nnlab import logs
from nnlab.celery import app
from runs import lifecycle, queue, workers
from runs.lifecycle import Claims
from runs.models import Level, Run
from runs.questions import advancing
from runs.queue import TRAIN_TASK
from runs.searching import proposing
from runs.store import log
from runs.store.log import Line
from runs.training import attempt, buckets, leaving, limits, registration

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # before a worker that takes no runs hands a wake-up on

celeryd_after_setup.connect(registration.remember_code)
worker_ready.connect(registration.register)
worker_ready.connect(leaving.watch_over)
worker_process_init.connect(leaving.listen)


@app.task(name=TRAIN_TASK)
def train_next(name: str) -> None:
    """Train the first waiting run of a queue to its end, others of its bucket with it, and wake the next.

    A message that is delivered twice takes the run after it, or finds nothing.
    """
    if leaving.is_asked():
        queue.wake_next(name)
        return
    why_idle = workers.why_idle()
    if why_idle:
        logger.warning("the runs of queue %s are left to other workers: %s", name, why_idle)
        sleep(IDLE_SECONDS)  # else this worker and the broker would do nothing but toss the message
        queue.wake_next(name)
        return
    claims = buckets.claim_next(name, f"{socket.gethostname()}:{os.getpid()}")
    if not claims:
        logger.info("no run waits in queue %.40s", name)
        return
    try:
        with logs.bound(run_ids=list(claims)):
            _train(claims)
            proposing.propose_for(claims)
            advancing.answer_for(claims)
    finally:
        queue.wake_next(name)


def _train(claims: Claims) -> None:
    """Train claimed runs; whatever happens, each has ended or waits again."""
    try:
        attempt.train_claimed(claims)
    except SoftTimeLimitExceeded:
        limit = app.conf.task_soft_time_limit
        _break_off(claims, "time limit", f"The run took longer than {limit:,} s; ask for fewer steps.")
    except MemoryError:
        _break_off(claims, "memory limit", limits.out_of_memory(Run.objects.filter(pk__in=claims)))
    except Exception as error:
        for run_id, token in claims.items():
            log.say(run_id, token, Line(traceback.format_exc(), Level.ERROR))
        _break_off(claims, "error", f"{type(error).__name__}: {error}")
        raise


def _break_off(claims: Claims, reason: str, error: str) -> None:
    """End what has not ended by itself.

    What stopped several runs may be the doing of one, and the time limit is that of one run: all of them try
    again, each on its own.
    """
    if len(claims) > 1:
        queued = lifecycle.surrender(claims, reason, error)
        logger.warning("%s: %s run(s) go back to the queue, to be trained alone", reason, queued)
        return
    for run_id, token in claims.items():
        lifecycle.fail(run_id, token, reason, error)
