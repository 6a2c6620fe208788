"""Past runs judged again: the monitor over rebuilt records, with any thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare
from nnlab.engine.errors import EngineError
from nnlab.health.events import AlertEvent
from nnlab.health.facts import DataFacts, describe_data
from nnlab.health.monitor import Monitor
from nnlab.health.thresholds import Thresholds
from runs.models import Run, Status
from runs.training import attempt
from runs.training.rebuilding import OF_TRACE, rebuilt

# What these read of the examples has to be taken of the data again.
OF_DATA = frozenset({"class_balance", "leak", "output_mismatch", "unscaled_data", "initial_loss"})


@dataclass(frozen=True)
class Replay:
    """What the monitor says of a past run.

    Args:
        unjudged: the checks that cannot be replayed, since what they read is not there.
    """

    events: Sequence[AlertEvent]
    unjudged: frozenset[str]


class Replayer:
    """Replays runs, with one look at each of their data sets."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._facts: dict[str, DataFacts | None] = {}

    def replay(self, run: Run) -> Replay:
        """Judge a run again.

        Raises:
            NotRebuiltError: for a run of which points are missing.
        """
        found = rebuilt(run)
        facts = self._facts_of(run)
        config = {**run.config["training"], "data": run.config["data"]}
        monitor = Monitor(found.info, config, self._thresholds, facts)
        events = [*monitor.start(), *monitor.observe(found.records)]
        if run.status == Status.FINISHED or run.diverged:  # others were cut off, and nothing closed
            events += monitor.close()
        unjudged = (OF_DATA if facts is None else frozenset()) | (
            frozenset() if found.has_trace else OF_TRACE
        )
        return Replay([event for event in events if event.check not in unjudged], unjudged)

    def _facts_of(self, run: Run) -> DataFacts | None:
        key = json.dumps([run.config["data"], run.info.get("data_version")], sort_keys=True)
        if key not in self._facts:
            self._facts[key] = _facts(run)
        return self._facts[key]


def _facts(run: Run) -> DataFacts | None:
    """Look at a run's data; None where they are not there any more, are others, or cannot be prepared."""
    try:
        prepared = prepare(DataConfig.from_dict(run.config["data"]), Path(settings.CSV_FOLDER))
        if run.info.get("data_version", prepared.version) != prepared.version:
            return None
        return describe_data(attempt.problem_of(prepared))
    except (DataError, EngineError):
        return None
