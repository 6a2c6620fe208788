"""One run while a worker trains it: what the engine says of it goes to its monitor, its recorder, its row."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from django.db import connection

from nnlab.engine.config import TrainingConfig
from nnlab.engine.records import Ending
from nnlab.engine.training import describe, joined
from nnlab.health.monitor import Monitor
from runs import lifecycle
from runs.recording import Recorder
from runs.store.outage import AWAY

if TYPE_CHECKING:
    from uuid import UUID

    from nnlab.engine.problem import Problem
    from nnlab.engine.records import NonFinite, Records, RunInfo
    from nnlab.health.facts import DataFacts
    from runs.models import Run

logger = logging.getLogger(__name__)


class Member:
    """A claimed run of a population.

    Whatever it writes raises RunTakenError where the run is no longer this worker's.

    Args:
        facts: of the problem's examples.
        flushed: when it last wrote, on the clock of ``monotonic``.

    Raises:
        EngineError: for a configuration that cannot be trained on these examples.
    """

    def __init__(self, run: Run, token: UUID, problem: Problem, facts: DataFacts) -> None:
        self.run_id, self.token = run.pk, token
        self.config = TrainingConfig.from_dict(run.config["training"])
        self.flushed = monotonic()
        self._info = describe(self.config, problem)
        config = {**run.config["training"], "data": run.config["data"]}
        self._monitor = Monitor(self._info, config, facts=facts)
        self._recorder = Recorder(run.pk, token, self._info)
        self._unwatched: list[Records] = []
        self._last: Records | None = None

    def start(self, target_unit: str, data_version: str) -> None:
        """Write what is known before step 1."""
        self._recorder.start(target_unit, data_version)
        self._recorder.record_events(self._monitor.start())

    def take(self, records: Records) -> None:
        """Take what a chunk of steps yielded; nothing is written yet, and no check is asked."""
        self._recorder.record(records, ())
        self._unwatched.append(records)

    def flush(self) -> None:
        """Write everything taken since the last flush; it waits here where the database is away."""
        self._watch()
        self._recorder.flush()
        self.flushed = monotonic()

    def end(self, last: Records) -> None:
        """Take that the run ended by itself, and how; ``conclude`` writes it."""
        self._watch()
        self._recorder.record_events(self._monitor.close())
        self._last = last

    def conclude(self) -> bool:
        """Write the rest, and how the run ended; False where the database is away, to be tried again.

        A run that has not ended by itself was stopped because its owner asked for it.
        """
        self._watch()
        if not self._recorder.flush(final=True):
            return False
        try:
            self._write_ending()
        except AWAY as error:
            logger.warning("run %s: the database does not answer; its end waits: %s", self.run_id, error)
            connection.close()
            return False
        return True

    def _watch(self) -> None:
        """Let the monitor read what came since the last flush: at once, which costs it a fraction."""
        if self._unwatched:
            self._recorder.record_events(self._monitor.observe(joined(self._unwatched)))
            self._unwatched.clear()

    def _write_ending(self) -> None:
        last = self._last
        if last is None or last.ended is None:
            lifecycle.stop(self.run_id, self.token)
        elif last.ended is Ending.DIVERGED:
            message = _divergence(last.nonfinite, self._info)
            lifecycle.fail(self.run_id, self.token, "diverged", message)
        else:
            lifecycle.finish(self.run_id, self.token, last.ended)


def _divergence(found: NonFinite | None, info: RunInfo) -> str:
    """Say in words where the numbers stopped being finite."""
    if found is None:
        return "The run's numbers stopped being finite."
    where = "" if found.layer is None else f" of {info.layer_name(found.layer)}"
    before = (
        "" if found.last_finite_loss is None else f" The last finite loss was {found.last_finite_loss:.4g}."
    )
    return f"Diverged: the {found.quantity}{where} stopped being finite at step {found.step:,}.{before}"
