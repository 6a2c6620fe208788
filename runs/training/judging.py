"""What the rules of a search say of runs while they train: who passes a mark, and who is to stop.

A worker hears the evaluations of its own runs; what they show at their marks goes into the database, where
runs of all workers meet. Those that pass a mark in the same round of a population are judged together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from django.db import transaction

from nnlab.search.stopping import Threshold, is_below_median
from runs.models import Mark, Run, Search, Status
from runs.reading.metrics import higher_is_better
from runs.reading.series import read_series
from runs.submitted.search import read_search
from runs.submitted.search_plans import Median, SearchPlan
from runs.submitted.values import Faults
from runs.training import rungs

if TYPE_CHECKING:
    from nnlab.engine.records import Evaluation, Records, RunInfo

Evaluated: TypeAlias = tuple[int, Mapping[str, float]]  # step and metrics


@dataclass(frozen=True)
class Verdict:
    """That a run is to stop.

    Args:
        reason: ``halved`` or ``stop rule``.
        words: why, for the run's owner.
    """

    reason: str
    words: str


class _Watched:
    """One run: which marks it has before it, and what it has shown so far."""

    def __init__(self, run: Run, info: RunInfo, plan: SearchPlan) -> None:
        self.run = run
        self.marks: dict[str, list[tuple[int, int]]] = {}  # by rule: level and step
        if plan.halving is not None:
            rungs_of = plan.halving.in_steps(info.steps_per_epoch)
            self.marks[Mark.Rule.HALVING] = list(enumerate(rungs_of.rungs(info.steps)))
        for rule in plan.rules:
            if isinstance(rule, Median):
                self.marks[Mark.Rule.MEDIAN] = list(enumerate(rule.marks.rungs(info.steps)))
        self.best, self.total, self.count = math.inf, 0.0, 0
        self.is_heard = False

    def passed(self, step: int, value: float) -> Iterator[Mark]:
        """Take an evaluation, smaller is better, and tell the marks that it passes."""
        if step > 0:
            self.best = min(self.best, value) if math.isfinite(value) else self.best
            self.total, self.count = self.total + value, self.count + 1
        for rule, waiting in self.marks.items():
            while waiting and waiting[0][1] <= step:
                level, _ = waiting.pop(0)
                yield self._mark(rule, level, step, value)

    def _mark(self, rule: str, level: int, step: int, value: float) -> Mark:
        average = self.total / max(1, self.count)
        shown = (self.best, average) if rule == Mark.Rule.MEDIAN else (value, math.nan)
        finite = [number if math.isfinite(number) else None for number in shown]
        return Mark(run=self.run, rule=rule, level=level, step=step, value=finite[0], average=finite[1])


class Judge:
    """Listens to the runs that a worker trains, all of one sweep, for the rules of its search."""

    def __init__(self, runs: Sequence[tuple[Run, RunInfo]]) -> None:
        trained = [(run, info) for run, info in runs if run.trial_id is not None]
        sweeps = {run.sweep_id for run, _ in trained}
        self._search = Search.objects.filter(sweep__in=sweeps).select_related("sweep").first()
        self._plan = plan_of(self._search) if self._search else SearchPlan()
        self._metric = self._search.metric if self._search else ""
        self._sign = -1.0 if higher_is_better(self._metric) else 1.0
        has_rules = self._plan.halving or self._plan.rules
        self._runs = {run.pk: _Watched(run, info, self._plan) for run, info in trained} if has_rules else {}
        self._pending: list[Mark] = []
        self._found: dict[int, Verdict] = {}
        self._round: set[int] = set()
        self._is_due = False

    @property
    def is_needed(self) -> bool:
        """Whether anything is judged at all."""
        return bool(self._runs)

    @property
    def is_halving(self) -> bool:
        """Whether others may decide on these runs: then somebody has to look now and then."""
        return self.is_needed and self._plan.halving is not None

    @property
    def is_due(self) -> bool:
        """Whether a round is over in which something happened, so that ``verdicts`` has to be asked."""
        return self._is_due

    def hear(self, run_id: int, records: Records) -> None:
        """Take what a run has shown."""
        watched = self._runs.get(run_id)
        if watched is None:
            return
        if run_id in self._round:
            self._round.clear()
            self._is_due |= bool(self._pending)
        if not watched.is_heard and records.first_step > 1:
            self._listen(watched, self._missed(run_id, records.first_step))
        watched.is_heard = True
        self._round.add(run_id)
        self._listen(watched, map(_evaluated, records.evaluations))
        self._is_due |= bool(self._found)
        if records.ended is not None:  # what it has shown counts, and it will not be heard again
            self._is_due |= bool(self._pending)

    def verdicts(self, claims: Mapping[int, UUID]) -> dict[int, Verdict]:
        """Write the marks that were passed, and tell which of the runs that a worker holds are to stop."""
        if not self.is_needed or self._search is None:
            return {}
        live = [self._runs[run_id].run for run_id in claims if run_id in self._runs]
        with transaction.atomic():
            Search.objects.select_for_update().get(pk=self._search.pk)
            held = _held(claims)
            marks = [mark for mark in self._pending if mark.run_id in held]
            Mark.objects.bulk_create(marks, ignore_conflicts=True)
            found = self._by_median(marks)
            if self._plan.halving is not None:
                halved = rungs.judge(self._search, self._plan.halving.factor, [run.trial_id for run in live])
                found |= {
                    run.pk: Verdict("halved", halved[run.trial_id]) for run in live if run.trial_id in halved
                }
        found |= self._found
        self._pending, self._found, self._is_due = [], {}, False
        return {run_id: verdict for run_id, verdict in found.items() if run_id in claims}

    def _listen(self, watched: _Watched, evaluations: Iterable[Evaluated]) -> None:
        for step, metrics in evaluations:
            value = metrics.get(self._metric, math.nan)
            self._pending += watched.passed(step, self._sign * value)
            for rule in self._plan.rules:
                if isinstance(rule, Threshold):
                    metric = rule.metric or self._metric
                    if metric in metrics and (words := _broken(rule, metric, step, metrics[metric])):
                        self._found.setdefault(watched.run.pk, Verdict("stop rule", f"Stop rule: {words}."))

    def _missed(self, run_id: int, before: int) -> list[Evaluated]:
        """Read what a run that goes on from a checkpoint has shown before."""
        return [
            (int(step), {self._metric: float(value)})
            for points in read_series([run_id], [self._metric])
            for step, value in zip(points.steps, points.values, strict=True)
            if step < before
        ]

    def _by_median(self, marks: Iterable[Mark]) -> dict[int, Verdict]:
        """Judge runs by the median rule at the marks that they have just passed."""
        assert self._search is not None  # noqa: S101 - the caller has looked
        found: dict[int, Verdict] = {}
        for mark in marks:
            if mark.rule != Mark.Rule.MEDIAN:
                continue
            peers = Mark.objects.filter(run__sweep=self._search.pk, rule=mark.rule, level=mark.level)
            rows = peers.exclude(run__trial=self._runs[mark.run_id].run.trial_id).values_list(
                "average", flat=True
            )
            averages = [math.inf if average is None else average for average in rows]
            best = math.inf if mark.value is None else mark.value
            if is_below_median(best, averages):
                words = (
                    f"Median rule: the best {self._metric} up to step {mark.step:,}, {self._sign * best:.4g},"
                    f" was worse than the median of what {len(averages)} other runs had shown on average."
                )
                found[mark.run_id] = Verdict("stop rule", words)
        return found


def plan_of(search: Search) -> SearchPlan:
    """Read the search of a sweep as it was submitted."""
    plan = read_search(search.sweep.specification["search"], Faults())
    if plan is None:
        raise ValueError(f"expected a search in the specification of sweep {search.pk}, got a faulty one")
    return plan


def _held(claims: Mapping[int, UUID]) -> set[int]:
    """Return those of the runs that are the worker's own still, and see to it that they stay so."""
    mine = Run.objects.filter(pk__in=claims, token__in=claims.values(), status=Status.RUNNING)
    return set(mine.select_for_update().values_list("pk", flat=True))


def _evaluated(evaluation: Evaluation) -> Evaluated:
    return evaluation.step, evaluation.metrics


def _broken(rule: Threshold, metric: str, step: int, value: float) -> str:
    words = rule.broken_by(step, value)
    return words if rule.metric else metric + words.removeprefix(rule.metric) if words else ""
