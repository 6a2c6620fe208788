"""The Celery application of workers that are killed every few seconds: checkpoints cost what they will."""

from __future__ import annotations

import math

from celery.signals import worker_process_init

from nnlab.celery import app as app  # noqa: PLC0414 - it is what Celery looks for here


@worker_process_init.connect
def _keep_at_any_cost(**_: object) -> None:
    from runs.training import company  # noqa: PLC0415 - Django is set up by now

    company.KEEP_SHARE = math.inf
