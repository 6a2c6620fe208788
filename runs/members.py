"""One run while a worker trains it: what the engine says of it goes to its monitor, its recorder, its row."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from nnlab.engine.config import TrainingConfig
from nnlab.engine.records import Ending
from nnlab.engine.training import describe
from nnlab.health.monitor import Monitor
from runs import lifecycle
from runs.recording import Recorder

if TYPE_CHECKING:
    from uuid import UUID

    from nnlab.engine.problem import Problem
    from nnlab.engine.records import NonFinite, Records, RunInfo
    from runs.models import Run


class Member:
    """A claimed run of a population.

    Whatever it writes raises RunTakenError where the run is no longer this worker's.

    Args:
        flushed: when it last wrote, on the clock of ``monotonic``.

    Raises:
        EngineError: for a configuration that cannot be trained on these examples.
    """

    def __init__(self, run: Run, token: UUID, problem: Problem) -> None:
        self.run_id, self.token = run.pk, token
        self.config = TrainingConfig.from_dict(run.config["training"])
        self.flushed = monotonic()
        self._info = describe(self.config, problem)
        self._monitor = Monitor(self._info, {**run.config["training"], "data": run.config["data"]})
        self._recorder = Recorder(run.pk, token, self._info)

    def start(self, target_unit: str) -> None:
        """Write what is known before step 1."""
        self._recorder.start(target_unit)

    def take(self, records: Records) -> None:
        """Take what a chunk of steps yielded; nothing is written yet."""
        self._recorder.record(records, self._monitor.observe(records))

    def flush(self) -> None:
        """Write everything taken since the last flush."""
        self._recorder.flush()
        self.flushed = monotonic()

    def end(self, last: Records) -> None:
        """Write the rest, and how the run ended by itself."""
        self._recorder.record_events(self._monitor.close())
        self._recorder.flush(final=True)
        if last.ended is Ending.DIVERGED:
            message = _divergence(last.nonfinite, self._info)
            lifecycle.fail(self.run_id, self.token, "diverged", message)
        elif last.ended is not None:
            lifecycle.finish(self.run_id, self.token, last.ended)

    def stop(self) -> None:
        """Write the rest, and that the run was stopped because its owner asked for it."""
        self._recorder.flush(final=True)
        lifecycle.stop(self.run_id, self.token)


def _divergence(found: NonFinite | None, info: RunInfo) -> str:
    """Say in words where the numbers stopped being finite."""
    if found is None:
        return "The run's numbers stopped being finite."
    where = "" if found.layer is None else f" of {info.layer_name(found.layer)}"
    before = (
        "" if found.last_finite_loss is None else f" The last finite loss was {found.last_finite_loss:.4g}."
    )
    return f"Diverged: the {found.quantity}{where} stopped being finite at step {found.step:,}.{before}"
