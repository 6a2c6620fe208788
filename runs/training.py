"""One attempt of a worker at a run: data in, records out, and a heartbeat beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection

from nnlab.data.config import DataConfig
from nnlab.data.preparation import Prepared, prepare
from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, NonFinite, RunInfo
from nnlab.engine.training import describe, train
from nnlab.health.monitor import Monitor
from runs import lifecycle
from runs.lifecycle import Standing
from runs.models import Run
from runs.recording import Recorder, RunTakenError

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0


def train_claimed(run_id: int, token: UUID) -> None:
    """Train a claimed run to its end, and say how it ended.

    Raises:
        EngineError, DataError: for a configuration that cannot be run.
    """
    config = Run.objects.values_list("config", flat=True).get(pk=run_id)
    with _heartbeat(run_id, token):
        prepared = prepare(DataConfig.from_dict(config["data"]), Path(settings.CSV_FOLDER))
        try:
            _train(run_id, token, config, prepared)
        except RunTakenError as error:
            logger.warning("%s", error)


def _train(run_id: int, token: UUID, config: dict[str, Any], prepared: Prepared) -> None:
    training = TrainingConfig.from_dict(config["training"])
    problem = _problem(prepared)
    info = describe(training, problem)
    monitor = Monitor(info, {**config["training"], "data": config["data"]})
    recorder = Recorder(run_id, token, info)
    recorder.start(prepared.target_unit or "")
    flushed = monotonic()
    for records in train(training, problem):
        recorder.record(records, monitor.observe(records))
        if records.ended is None and monotonic() - flushed < FLUSH_SECONDS:
            continue
        if records.ended is not None:
            recorder.record_events(monitor.close())
        recorder.flush()
        flushed = monotonic()
        if records.ended is Ending.DIVERGED:
            lifecycle.fail(run_id, token, "diverged", _divergence(records.nonfinite, info))
        elif records.ended is not None:
            lifecycle.finish(run_id, token, records.ended)
        elif lifecycle.standing(run_id, token) is Standing.CANCELLED:
            lifecycle.stop(run_id, token)
            return


def _problem(prepared: Prepared) -> Problem:
    return Problem(
        task=prepared.task,
        x_train=prepared.x_train,
        y_train=prepared.y_train,
        x_val=prepared.x_val,
        y_val=prepared.y_val,
        outputs=prepared.outputs,
        target_scale=prepared.target_scale,
    )


def _divergence(found: NonFinite | None, info: RunInfo) -> str:
    """Say in words where the numbers stopped being finite."""
    if found is None:
        return "The run's numbers stopped being finite."
    where = "" if found.layer is None else f" of {info.layer_name(found.layer)}"
    before = (
        "" if found.last_finite_loss is None else f" The last finite loss was {found.last_finite_loss:.4g}."
    )
    return f"Diverged: the {found.quantity}{where} stopped being finite at step {found.step:,}.{before}"


@contextmanager
def _heartbeat(run_id: int, token: UUID) -> Iterator[None]:
    """Prolong the lease from a thread, so that a long step or a slow disk does not cost the run."""
    ended = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(run_id, token, ended), name=f"heartbeat-{run_id}", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(run_id: int, token: UUID, ended: threading.Event) -> None:
    try:
        while not ended.wait(lifecycle.HEARTBEAT.total_seconds()):
            try:
                if lifecycle.beat(run_id, token) is Standing.TAKEN:
                    return
            except OperationalError as error:  # the database is away: the lease may outlast it
                logger.warning("heartbeat of run %s failed: %s", run_id, error)
                connection.close()
    finally:
        connection.close()
