"""One run while a worker trains it: what the engine says of it goes to its monitor, its recorder, its row."""

from __future__ import annotations

import logging
from enum import Enum, auto
from time import monotonic
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection

from nnlab.engine.config import TrainingConfig
from nnlab.engine.records import Ending
from nnlab.engine.training import describe, joined
from nnlab.health.monitor import Monitor
from runs import lifecycle
from runs.store.outage import AWAY
from runs.training import limits, resuming
from runs.training.recording import Recorder, isa_of
from runs.training.resuming import NotRebuiltError

if TYPE_CHECKING:
    from uuid import UUID

    from nnlab.engine.problem import Problem
    from nnlab.engine.records import NonFinite, Records, RunInfo
    from nnlab.health.facts import DataFacts
    from runs.models import Run
    from runs.training.judging import Verdict

logger = logging.getLogger(__name__)

_MOST_ARRAYS = 4  # of a number per parameter: itself, the optimizer's two moments, the best network


class Parting(Enum):
    """Why a run leaves a population.

    It has ended, a rule of its search stops it, its owner wants it cancelled or held, the worker stops, or
    its time is over; where it had company, it is given another attempt alone.
    """

    ENDED = auto()
    HALTED = auto()
    CANCELLED = auto()
    HELD = auto()
    GIVEN_BACK = auto()
    TIMED_OUT = auto()
    SENT_ALONE = auto()


class Member:
    """A claimed run of a population.

    Whatever it writes raises RunTakenError where the run is no longer this worker's.

    Args:
        facts: of the problem's examples.
        flushed: when it last wrote, on the clock of ``monotonic``.

    Attributes:
        resume: the checkpoint that it goes on from; None where it starts anew.

    Raises:
        EngineError: for a configuration that cannot be trained on these examples.
    """

    def __init__(self, run: Run, token: UUID, problem: Problem, facts: DataFacts) -> None:
        self.run_id, self.token = run.pk, token
        self.config = TrainingConfig.from_dict(run.config["training"])
        self.flushed = self._began = monotonic()
        self.resume: bytes | None = None
        self.run, self._problem, self._facts = run, problem, facts
        self.info = describe(self.config, problem)
        self._origin: dict[str, str] = {}
        self._monitor = self._new_monitor()
        self._recorder = Recorder(run.pk, token, self.info)
        self._unwatched: list[Records] = []
        self._last: Records | None = None
        self._step = 0
        self._verdict: Verdict | None = None

    def start(self, target_unit: str, data_version: str) -> None:
        """Go on from the run's checkpoint, or write what is known before step 1."""
        self._origin = resuming.origin(self.info.tier, isa_of(self.info.tier), data_version)
        found = resuming.find(self.run_id, self._origin, self.config, self._problem)
        why_anew = found.why_anew
        if found.checkpoint is not None:
            try:
                self._go_on(found, target_unit, data_version)
            except NotRebuiltError as error:
                why_anew = f"It began anew, for its alerts could not go on: {error}."
                self._monitor = self._new_monitor()
            else:
                return
        note = " ".join(filter(None, [why_anew, self._why_not_kept()]))
        if why_anew:
            logger.warning("run %s: %s", self.run_id, why_anew)
        self._recorder.start(target_unit, data_version, note=note)
        self._recorder.record_events(self._monitor.start())

    def take(self, records: Records) -> None:
        """Take what a chunk of steps yielded; nothing is written yet, and no check is asked."""
        self._recorder.record(records, ())
        self._unwatched.append(records)
        self._step = max(self._step, records.last_step)

    @property
    def can_be_kept(self) -> bool:
        """Whether checkpoints of it are small enough to be stored."""
        return not self._why_not_kept()

    def keep(self, checkpoint: bytes) -> None:
        """Take a checkpoint of the run as it stands after the last records; the next flush writes it."""
        self._recorder.keep(checkpoint, self._origin)

    @property
    def is_out_of_time(self) -> bool:
        """Whether its attempt has taken as long as it may."""
        return monotonic() - self._began > limits.time_limit_of(self.run)

    @property
    def keeping_seconds(self) -> float:
        """How long writing checkpoints took so far."""
        return self._recorder.keeping_seconds

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

    def halt(self, verdict: Verdict) -> None:
        """Take that the run is to stop, and why; ``conclude`` writes it."""
        self._verdict = verdict

    def conclude(self, why: Parting) -> bool:
        """Write the rest, and that the run leaves; False where the database is away, to be tried again."""
        self._watch()
        if not self._recorder.flush(final=True):
            return False
        try:
            self._write_parting(why)
        except AWAY as error:
            logger.warning("run %s: the database does not answer; its end waits: %s", self.run_id, error)
            connection.close()
            return False
        return True

    def _go_on(self, found: resuming.Found, target_unit: str, data_version: str) -> None:
        kept = found.checkpoint
        assert kept is not None  # noqa: S101 - the caller has looked
        self._recorder.start(
            target_unit,
            data_version,
            after=kept.step,
            summary=kept.summary,
            keeps_alerts=resuming.is_watched_alike(kept),
            note=self._why_not_kept(),
        )
        self._recorder.record_events(resuming.read_again(self._monitor, self.run))
        self.resume = found.data
        logger.info("run %s goes on after step %s", self.run_id, kept.step)

    def _new_monitor(self) -> Monitor:
        config = {**self.run.config["training"], "data": self.run.config["data"]}
        return Monitor(self.info, config, facts=self._facts)

    def _why_not_kept(self) -> str:
        size = self.info.parameters * int(self.config.dtype.removeprefix("float")) // 8 * _MOST_ARRAYS
        if size <= settings.CHECKPOINT_LIMIT:
            return ""
        limit = settings.CHECKPOINT_LIMIT // 2**20
        return (
            f"No checkpoints are kept: they could take {size // 2**20:,} MB, and {limit:,} MB are allowed"
            " (NNLAB_CHECKPOINT_LIMIT_MB)."
        )

    def _watch(self) -> None:
        """Let the monitor read what came since the last flush: at once, which costs it a fraction."""
        if self._unwatched:
            self._recorder.record_events(self._monitor.observe(joined(self._unwatched)))
            self._unwatched.clear()

    def _write_parting(self, why: Parting) -> None:
        claim = self.run_id, self.token
        if why is Parting.CANCELLED:
            lifecycle.stop(*claim)
        elif why is Parting.HALTED and self._verdict is not None:
            lifecycle.finish(*claim, self._verdict.reason, self._verdict.words)
        elif why is Parting.ENDED:
            self._write_ending()
        elif why is Parting.TIMED_OUT:
            lifecycle.fail(*claim, "time limit", self._out_of_time())
        elif why is Parting.SENT_ALONE:
            lifecycle.surrender(dict([claim]), "time limit", self._out_of_time())
        elif why is Parting.GIVEN_BACK or not lifecycle.hold(*claim):  # or its owner has changed their mind
            lifecycle.hand_back(dict([claim]))

    def _out_of_time(self) -> str:
        return limits.out_of_time(limits.time_limit_of(self.run), self._step, self.info.steps)

    def _write_ending(self) -> None:
        last = self._last
        if last is None or last.ended is None:
            raise RuntimeError(f"expected a run that has ended, got run {self.run_id}; tell it with end()")
        if last.ended is Ending.DIVERGED:
            message = _divergence(last.nonfinite, self.info)
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
