"""A short probe of how long steps and evaluations take: the engine itself, with nothing recorded.

Processor time is taken, not the clock's: workers on the same machine train on while the probe runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

from nnlab.engine.native_members import FEWEST, Lanes, can_be_member
from nnlab.engine.native_trainer import NativeTrainer
from nnlab.engine.tiers import make_trainer, shared_examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nnlab.engine.problem import Problem
    from nnlab.engine.trainer import Trainer
    from runs.estimating.work import Work

PROBE_SECONDS = 0.05  # of one kind
MOST_SECONDS = 1.5  # of all together: somebody waits for the answer
_MOST_EFFORT = 0.15  # of a network's first step and evaluations, in seconds that ``Work`` counts
_PARAMETER_SECONDS = 3e-8  # to draw one
_MEMBERS = 16  # trained at once, where a run will have company: the lanes of the widest vector
_PARTS = 5  # of a probe: their spread is its uncertainty


@dataclass(frozen=True)
class Measured:
    """Seconds that one step and one evaluation of a run take.

    Args:
        spread: how far off the step's time may be, as a share of it.
    """

    step: float
    look: float
    brief: float
    spread: float

    def seconds(self, work: Work) -> float:
        """All of a run's work, without what a worker does around it."""
        evaluations = work.looks * self.look + (work.evaluations - work.looks) * self.brief
        return work.steps * self.step + evaluations


def chosen(works: Iterable[Work]) -> Iterator[Work]:
    """Put the works into the order in which probes tell most: the ends, the middle, then between them.

    Those that could not take a single step within the time of a probe are left out.
    """
    able = sorted(filter(_is_quick, works), key=lambda work: work.seconds)
    edges = [0, len(able) - 1] if len(able) > 1 else list(range(len(able)))
    seen = set(edges)
    yield from (able[edge] for edge in reversed(edges))
    while len(seen) < len(able):
        for middle in [(first + last) // 2 for first, last in pairwise(sorted(seen))]:
            if middle not in seen:
                seen.add(middle)
                yield able[middle]


def probe(work: Work, problem: Problem, *, company: bool, seconds: float = PROBE_SECONDS) -> Measured:
    """Train a network for a moment.

    Args:
        company: whether it will be trained together with others of its shape.

    Raises:
        EngineError: for a configuration that cannot be trained here.
    """
    members = _members(work, problem, _MEMBERS if company else 1)
    look, brief = (_evaluation(members[0], seconds / 4, is_brief=is_brief) for is_brief in (False, True))
    times = _steps(members, seconds)
    middle = sorted(times)[len(times) // 2]
    spread = (max(times) - min(times)) / 2 / middle if len(times) > 1 else 0.5
    return Measured(middle, look, brief, min(spread, 1.0))


def _is_quick(work: Work) -> bool:
    effort = work.step + 3 * work.evaluation + _PARAMETER_SECONDS * work.kind.parameters
    return effort < _MOST_EFFORT


def _members(work: Work, problem: Problem, count: int) -> list[Trainer]:
    configs = [replace(work.config, seed=seed) for seed in range(count)]
    examples = shared_examples(configs, problem)
    first = make_trainer(configs[0], problem, probes=False, examples=examples)
    if count < FEWEST or not can_be_member(first):
        return [first]  # in turns: company changes nothing
    others = [make_trainer(config, problem, probes=False, examples=examples) for config in configs[1:]]
    return [first, *others]


def _evaluation(trainer: Trainer, seconds: float, *, is_brief: bool) -> float:
    """Measure the evaluations after the first, which also makes its buffers."""
    trainer.evaluate(is_brief=is_brief)
    times, started = list[float](), perf_counter()
    while not times or perf_counter() - started < seconds:
        before = thread_time()
        trainer.evaluate(is_brief=is_brief)
        times.append(thread_time() - before)
    return sorted(times)[len(times) // 2]


def _steps(members: Sequence[Trainer], seconds: float) -> list[float]:
    """Measure one step of one member, several times; the first half of the times only warms up.

    No chunk goes beyond the next evaluation, as in training: beside a few tiny steps Python's part counts.
    """
    lanes = [one for one in members if isinstance(one, NativeTrainer)] if len(members) > 1 else []
    together = Lanes(lanes) if lanes else None
    left, count, times, started = members[0].steps, 1, list[float](), perf_counter()
    while left > 0 and members[0].ended is None and (not times or perf_counter() - started < seconds):
        count = min(count, left, members[0].validate_every)
        before = thread_time()
        if together is None:
            members[0].run_chunk(count)
        else:
            together.run_chunks(lanes, count)
        spent = max(thread_time() - before, 1e-9)
        times.append(spent / count / len(members))
        left -= count
        count = max(1, min(2 * count, int(seconds / _PARTS * count / spent)))
    return times[len(times) // 2 :]
