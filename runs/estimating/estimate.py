"""What a submission will cost, told before it is one; it refuses nothing and never fails a submission."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare
from runs.estimating import work
from runs.estimating.expecting import Basis, Expectations, Expected
from runs.estimating.starts import Backlog, backlog
from runs.estimating.work import Work
from runs.models import Queue
from runs.submitted.specification import Planned, Specification
from runs.training.attempt import problem_of

MB = 2**20


class Span(NamedTuple):
    """Seconds, and between which bounds they probably are."""

    seconds: float
    low: float
    high: float

    def times(self, factor: float) -> Span:
        """Return it with a factor."""
        return Span(self.seconds * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Estimate:
    """What a submission will cost.

    Args:
        work: of one process of a worker; None where it cannot be told.
        wall: until the last run ends, once the first has begun, with the processes that are there.
        ahead: seconds until the first begins; None where no worker is there.
        longest: seconds of the longest run.
        memory_bytes: of the largest run, beyond what the program itself takes.
        basis: by how many runs each kind of source stands for.
        learned_from: past runs.
        probed_seconds: that probes took just now.
    """

    runs: int
    configurations: int
    steps: int
    work: Span | None
    wall: Span | None
    ahead: float | None
    processes: int
    waiting: int
    longest: float
    memory_bytes: int
    points: int
    stored_bytes: int
    basis: Mapping[Basis, int]
    learned_from: int
    probed_seconds: float
    queue: str
    problem: str = ""

    @property
    def memory_mb(self) -> int:
        """The memory of the largest run."""
        return ceil(self.memory_bytes / MB)

    @property
    def stored_mb(self) -> float:
        """What its points take in the database."""
        return self.stored_bytes / MB

    @property
    def source(self) -> str:
        """Where the time comes from, in words."""
        parts = [self._told(basis, runs) for basis, runs in self.basis.items() if runs]
        return "; ".join(parts)

    def _told(self, basis: Basis, runs: int) -> str:
        where = "" if runs == sum(self.basis.values()) else f" for {runs:,} runs"
        if basis == Basis.PAST:
            return f"measured on {self.learned_from:,} past run{'s'[: self.learned_from > 1]}{where}"
        if basis == Basis.PROBE:
            now = f"a probe of {self.probed_seconds:.1f} s" if self.probed_seconds else "an earlier probe"
            return f"from {now} on this machine{where}"
        if basis == Basis.NEAREST:
            return f"from probes of similar networks on this machine{where}"
        return f"from the count of operations alone{where}"


def estimate(spec: Specification, *, probing: bool = True) -> Estimate:
    """Say what a submission will cost.

    Args:
        probing: train networks of which nothing is known for a moment, 1.5 s in all at most.
    """
    queue, by_run = spec.job.queue, _by_run((spec, run) for run in spec.runs)
    works = dict(Counter(by_run[run.group, run.steps] for run in spec.runs))
    expectations = Expectations(works, queue)
    problem = _probed(spec, expectations) if probing else ""
    known = {one: found for one in works if (found := expectations.of(one)) is not None}
    if len(known) < len(works):
        problem = problem or "Nothing like it was trained on a GPU here yet, so its time cannot be told."
    spent = None if problem else _span(known, works).times(spec.all_runs / len(spec.runs))
    return _estimate(spec, works, known, backlog(queue), spent, expectations.probed_seconds, problem)


def expected_seconds(
    planned: Iterable[tuple[Specification, Planned]], queue: str = Queue.CPU
) -> dict[tuple[str, int], float]:
    """Return the seconds that runs will take, by group and steps, from what is known without any probe."""
    runs = list(planned)
    by_run = _by_run(runs)
    expectations = Expectations(Counter(by_run[run.group, run.steps] for _, run in runs), queue)
    found = {key: expectations.of(one) for key, one in by_run.items()}
    return {key: told.seconds for key, told in found.items() if told is not None}


def needed_mb(spec: Specification, run: Planned) -> int:
    """Estimate the memory of one run."""
    return ceil(work.memory_of(run.training, run.parameters, spec.shape) / MB)


def _by_run(planned: Iterable[tuple[Specification, Planned]]) -> dict[tuple[str, int], Work]:
    """Count the work of runs; it is the same for all seeds."""
    found: dict[tuple[str, int], Work] = {}
    for spec, run in planned:
        if (run.group, run.steps) not in found:
            data = work.data_key(spec.data.to_dict())
            found[run.group, run.steps] = work.work_of(run, spec.shape, data)
    return found


def _probed(spec: Specification, expectations: Expectations) -> str:
    """Probe what is not known; say why that was not possible, or nothing."""
    try:
        expectations.probe_missing(problem_of(prepare(spec.data, Path(settings.CSV_FOLDER))))
    except DataError as error:  # a file may have gone since it was checked
        return f"The data could not be looked at: {error}"
    return ""


def _span(expected: Mapping[Work, Expected], works: Mapping[Work, int]) -> Span:
    """Add up runs and their bounds: what deceives in one network does so in the others of its machine."""
    pairs = [(found, works[one]) for one, found in expected.items()]
    return Span(
        sum(found.seconds * count for found, count in pairs),
        sum(found.low * count for found, count in pairs),
        sum(found.high * count for found, count in pairs),
    )


def _estimate(
    spec: Specification,
    works: Mapping[Work, int],
    known: Mapping[Work, Expected],
    ahead: Backlog,
    spent: Span | None,
    probed_seconds: float,
    problem: str,
) -> Estimate:
    basis: Counter[Basis] = Counter()
    for one, found in known.items():
        basis[found.basis] += works[one]
    longest = max((found.seconds for found in known.values()), default=0.0)
    scale = spec.all_runs / len(spec.runs)
    points = round(scale * sum(work.points_of(one) * count for one, count in works.items()))
    sizes = [work.memory_of(run.training, run.parameters, spec.shape) for run in _distinct(spec)]
    return Estimate(
        runs=spec.all_runs,
        configurations=len({run.group for run in spec.runs}),
        steps=round(scale * sum(run.steps for run in spec.runs)),
        work=spent,
        wall=_wall(spent, spec.all_runs, longest, ahead.processes),
        ahead=ahead.seconds if ahead.processes else None,
        processes=ahead.processes,
        waiting=ahead.waiting,
        longest=longest,
        memory_bytes=max(sizes),
        points=points,
        stored_bytes=work.bytes_of(points, spec.all_runs),
        basis=basis,
        learned_from=sum(found.runs for found in known.values()),
        probed_seconds=probed_seconds,
        queue=ahead.queue,
        problem=problem,
    )


def _wall(spent: Span | None, runs: int, longest: float, processes: int) -> Span | None:
    """Share the work among processes: never less than the longest run takes."""
    if spent is None or not processes:
        return None
    shared = spent.times(1.0 / min(runs, processes))
    stretched = max(1.0, longest / shared.seconds) if shared.seconds > 0.0 else 1.0
    return shared.times(stretched)


def _distinct(spec: Specification) -> Sequence[Planned]:
    return list({run.group: run for run in spec.runs}.values())
