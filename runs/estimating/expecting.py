"""How long runs are expected to take: as past runs did, else as a probe says, else by counting operations."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from enum import StrEnum
from math import log
from time import perf_counter
from typing import NamedTuple

from nnlab import versions
from nnlab.engine.errors import EngineError
from nnlab.engine.native_members import FEWEST
from nnlab.engine.problem import Problem
from runs.estimating import past
from runs.estimating.probing import MOST_SECONDS, Measured, chosen, probe
from runs.estimating.work import Kind, Work
from runs.models import Queue, Speed

_MOST_SPEEDS = 500  # that are recalled
RUN_SECONDS = 0.05  # to begin and to end a run; as measured, like the next one
SHARE = 0.2  # of training: what records and checks add to it
_AROUND = 0.35  # how far off the two above may be
_UNSEEN = 0.3  # how much farther off is what was taken over from another network
_COUNTED = 2.0  # how far off a mere count may be, as a factor


class Basis(StrEnum):
    """Where an expectation comes from."""

    PAST = "past runs"
    PROBE = "a probe"
    NEAREST = "a probe of similar networks"
    COUNT = "the count of operations"


class Expected(NamedTuple):
    """Seconds that a process needs for one run, and within which bounds.

    Args:
        runs: past runs that this was learned from.
    """

    seconds: float
    low: float
    high: float
    basis: Basis
    runs: int = 0


class _Speed(NamedTuple):
    """What was measured of a network, beside what the count of its operations says."""

    measured: Measured
    counted_step: float
    counted_evaluation: float

    def scaled(self, work: Work) -> float:
        """Seconds of the work of another network."""
        own, step = self.measured, self.measured.step * work.step / self.counted_step
        evaluations = work.looks * own.look + (work.evaluations - work.looks) * own.brief
        return work.steps * step + evaluations * work.evaluation / self.counted_evaluation


class Expectations:
    """What is known of the work of some runs.

    Args:
        works: by how many runs have it.

    Attributes:
        probed_seconds: that probes took just now.
    """

    def __init__(self, works: Mapping[Work, int], queue: str = Queue.CPU) -> None:
        runs: Counter[str] = Counter()
        for work, count in works.items():
            runs[work.kind.shape] += count
        self._company = {shape: count >= FEWEST for shape, count in runs.items()}
        self._works = {work.kind: work for work in works}
        self._is_gpu = queue == Queue.GPU
        self._past = past.stints(runs.keys(), queue)
        self._measured: dict[Kind, Measured] = {}
        self._similar: list[_Speed] = []
        self.probed_seconds = 0.0
        if not self._is_gpu:
            self._recall()

    def probe_missing(self, problem: Problem) -> None:
        """Probe the networks of which nothing is known, within a time; what was measured is kept."""
        if self._is_gpu:
            return
        started, found = perf_counter(), dict[Kind, Measured]()
        for work in chosen(self._unknown()):
            if self.probed_seconds > MOST_SECONDS:
                break
            try:
                found[work.kind] = probe(work, problem, company=self._company[work.kind.shape])
            except EngineError:  # its own run will say so; it has no speed
                continue
            self._note(work.kind, found[work.kind], work)
            self.probed_seconds = perf_counter() - started
        self._keep(found)

    def of(self, work: Work) -> Expected | None:
        """Say how long a run takes; None where nothing is known, which only happens on a GPU."""
        learned = past.rate(self._past.get(work.kind, ()), work, company=self._company[work.kind.shape])
        if learned is not None:
            steps = work.steps
            return Expected(
                learned.seconds * steps, learned.low * steps, learned.high * steps, Basis.PAST, learned.runs
            )
        if self._is_gpu:
            return None
        measured = self._measured.get(work.kind)
        if measured is not None:
            return _expected(measured.seconds(work), measured.spread, Basis.PROBE)
        return self._from_nearest(work)

    def _unknown(self) -> Iterable[Work]:
        for kind, work in self._works.items():
            learned = past.rate(self._past.get(kind, ()), work, company=self._company[kind.shape])
            if kind not in self._measured and learned is None:
                yield work

    def _from_nearest(self, work: Work) -> Expected:
        """Scale what was measured of the network whose steps have nearly as many operations."""
        near = min(self._similar, key=lambda speed: abs(log(speed.counted_step / work.step)), default=None)
        if near is None:
            seconds = RUN_SECONDS + work.seconds
            return Expected(seconds, seconds / _COUNTED, seconds * _COUNTED, Basis.COUNT)
        return _expected(near.scaled(work), near.measured.spread + _UNSEEN, Basis.NEAREST)

    def _recall(self) -> None:
        """Take what earlier probes on this machine measured."""
        for row in Speed.objects.filter(**_here()).order_by("-pk")[:_MOST_SPEEDS]:
            kind = Kind(row.shape, row.parameters, row.data)
            measured = Measured(row.step, row.look, row.brief, row.spread)
            self._similar.append(_Speed(measured, row.counted_step, row.counted_evaluation))
            if kind in self._works and row.company == self._company[row.shape]:
                self._measured[kind] = measured

    def _note(self, kind: Kind, measured: Measured, work: Work) -> None:
        self._measured[kind] = measured
        self._similar.append(_Speed(measured, work.step, work.evaluation))

    def _keep(self, found: Mapping[Kind, Measured]) -> None:
        """Store what was measured, for the next time."""
        rows = []
        for kind, measured in found.items():
            work, company = self._works[kind], self._company[kind.shape]
            counted = {"counted_step": work.step, "counted_evaluation": work.evaluation}
            rows.append(Speed(**_here(), **kind._asdict(), company=company, **asdict(measured), **counted))
        Speed.objects.bulk_create(rows, ignore_conflicts=True)


def _expected(training: float, spread: float, basis: Basis) -> Expected:
    seconds = RUN_SECONDS + training * (1.0 + SHARE)
    off = min(spread + _AROUND, 0.9)
    return Expected(seconds, seconds * (1.0 - off), seconds * (1.0 + off), basis)


def _here() -> dict[str, str]:
    return {"engine": versions.engine_code(), "host": socket.gethostname()}
