"""What past runs of this installation took: the best teacher, as far as there were any of the kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from nnlab import versions
from nnlab.engine.native_members import FEWEST
from runs.estimating.work import Kind, Work, data_key
from runs.models import Attempt, Outcome, Queue, Source

MOST_ATTEMPTS = 2000  # the newest
MOST_SHAPES = 300
SIMILAR = 3.0  # of runs this many times as long or short the share that only begins and ends them is another
_ALIKE = 0.25  # how far off what was seen once may be
_GPU_TIER = "cupy"


class Stint(NamedTuple):
    """A time in which one process trained runs of one kind, alone or together.

    Args:
        steps: of all of them.
        longest: the steps of one.
    """

    seconds: float
    steps: int
    members: int
    longest: int


@dataclass(frozen=True)
class Rate:
    """Seconds of a process for each step of a run, everything around it included.

    Args:
        runs: of which this was learned.
    """

    seconds: float
    low: float
    high: float
    runs: int


class _Row(NamedTuple):
    shape: str
    parameters: int
    data: object
    engine: str
    process: str
    began_after: int
    last_step: int
    started_at: datetime
    ended_at: datetime


def stints(shapes: Collection[str], queue: str = Queue.CPU) -> Mapping[Kind, list[Stint]]:
    """Return what runs of these shapes took that finished with this version of the engine, in one query."""
    ended = Attempt.objects.filter(outcome=Outcome.FINISHED, run__source=Source.ENGINE)
    ended = ended.filter(run__shape_key__in=sorted(shapes)[:MOST_SHAPES])
    on_gpu = {"tier": _GPU_TIER}
    ended = ended.filter(**on_gpu) if queue == Queue.GPU else ended.exclude(**on_gpu)
    columns = ("run__shape_key", "run__parameters", "run__config__data", "versions__engine", "process")
    steps = ("began_after", "last_step", "started_at", "ended_at")
    by_process: dict[tuple[Kind, str], list[_Row]] = defaultdict(list)
    for row in map(_Row._make, ended.order_by("-pk").values_list(*columns, *steps)[:MOST_ATTEMPTS]):
        if row.engine == versions.engine_code() and isinstance(row.data, Mapping):
            kind = Kind(row.shape, row.parameters, data_key(row.data))
            by_process[kind, row.process].append(row)
    found: dict[Kind, list[Stint]] = defaultdict(list)
    for (kind, _), rows in by_process.items():
        found[kind] += _stints(rows)
    return found


def rate(known: Iterable[Stint], work: Work, *, company: bool) -> Rate | None:
    """Return what one step took in runs about as long, and as lonely; None where there were none."""
    fitting = [
        stint
        for stint in known
        if (stint.members >= FEWEST) == company
        and work.steps / SIMILAR <= stint.longest <= work.steps * SIMILAR
    ]
    if not fitting:
        return None
    rates = sorted(stint.seconds / stint.steps for stint in fitting)
    mean = sum(stint.seconds for stint in fitting) / sum(stint.steps for stint in fitting)
    cut = len(rates) // 10
    room = _ALIKE / len(rates)
    return Rate(
        mean,
        min(mean, rates[cut]) * (1.0 - room),
        max(mean, rates[-1 - cut]) * (1.0 + room),
        sum(stint.members for stint in fitting),
    )


def _stints(rows: Sequence[_Row]) -> list[Stint]:
    """Join the attempts of a process that overlap: it trained them together."""
    found: list[Stint] = []
    together: list[_Row] = []
    for row in sorted(rows, key=lambda row: row.started_at):
        if together and row.started_at >= max(other.ended_at for other in together):
            found.append(_joined(together))
            together = []
        together.append(row)
    found.append(_joined(together))
    return [stint for stint in found if stint.steps > 0 and stint.seconds > 0.0]


def _joined(rows: Sequence[_Row]) -> Stint:
    first, last = min(row.started_at for row in rows), max(row.ended_at for row in rows)
    steps = [row.last_step - row.began_after for row in rows]
    return Stint((last - first).total_seconds(), sum(steps), len(rows), max(steps))
