"""The runs table in groups: every run that matches counts, whatever a page shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Subquery

from nnlab.stats.intervals import Interval, mean_interval
from runs.models import Project, RunMetric, RunParam, Status
from runs.models.states import HALTED
from runs.reading.filters import TypedField
from runs.reading.metrics import higher_is_better
from runs.reading.table import GROUPS, TableQuery, runs_of

SHOWN = 200  # groups of a page
SHOWN_RUNS = 50  # of an opened group


class Member(NamedTuple):
    """A run of a group; ``value`` is None where it diverged, has none, or has trained less than others."""

    pk: int
    name: str
    status: str
    stop_reason: str
    seed: int | None
    config: str
    value: float | None

    @property
    def diverged(self) -> bool:
        """Whether the run ended because its numbers stopped being finite."""
        return self.stop_reason == "diverged"


@dataclass(frozen=True)
class RunGroup:
    """The runs that have one value of what the table is grouped by.

    Args:
        interval: of the mean over seeds; the configurations of a seed are averaged first.
        even: every seed has the same configurations, so that only the seed differs between its values.
        best: the run with the best value.
    """

    value: Any
    members: Sequence[Member]
    interval: Interval | None
    even: bool
    best: Member | None

    @property
    def diverged(self) -> int:
        """Number of runs that diverged; none of them is in the mean."""
        return sum(member.diverged for member in self.members)

    @property
    def without_result(self) -> int:
        """Number of runs that wait, train, failed, were stopped, or lack the metric."""
        return sum(member.value is None and not member.diverged for member in self.members)


@dataclass(frozen=True)
class Groups:
    """The groups of all runs that match, the best mean first.

    Args:
        number: of groups, of which those beyond ``SHOWN`` are left out.
        metric: whose values the means are of.
    """

    groups: Sequence[RunGroup] = field(default_factory=tuple)
    number: int = 0
    runs: int = 0
    metric: str = ""
    unit: str = ""


def groups_of(project: Project, query: TableQuery) -> Groups:
    """Group the runs that match by what the address asks for, in one query, or two."""
    by, rows = query.order.by, _rows(project, query)
    counts = Counter(row[-2] for row in rows if row[-2])
    headline = counts.most_common(1)[0][0] if counts else ""
    own = isinstance(by, TypedField)
    metric = by.name if isinstance(by, TypedField) else headline
    found: dict[Hashable, list[Member]] = {}
    for of, *told, judged_by, value in rows:
        member = Member._make((*told, value if own or judged_by == metric else None))
        found.setdefault(of, []).append(_counted(member))
    higher = query.order.descending if own else higher_is_better(metric)
    means = {value: _means(members) for value, members in found.items()}
    best_first = sorted(found, key=lambda value: _rank(value, means[value], higher=higher))
    groups = [_group(value, found[value], means[value], higher=higher) for value in best_first[:SHOWN]]
    return Groups(groups, len(found), len(rows), metric, _unit(project, metric))


def _rows(project: Project, query: TableQuery) -> list[tuple[Any, ...]]:
    by = query.order.by
    key: Any = F(GROUPS[query.group]) if query.group in GROUPS else None
    if key is None:
        own = RunParam.objects.filter(run=OuterRef("pk"), name=query.group_name)
        key = Subquery(own.values("text" if _has_texts(project, query) else "number"))
    value: Any = F("score")
    if isinstance(by, TypedField):
        rows = RunMetric.objects.filter(run=OuterRef("pk"), name=query.order.name)
        value = Subquery(rows.values(by.aspect))
    runs = runs_of(project, query).order_by("-pk").annotate(of=key, measured=value)
    told = ("pk", "name", "status", "stop_reason", "seed", "group")
    return list(runs.values_list("of", *told, "headline", "measured"))


def _has_texts(project: Project, query: TableQuery) -> bool:
    rows = RunParam.objects.filter(project=project, name=query.group_name)
    return rows.filter(text__isnull=False).exists()


def _counted(member: Member) -> Member:
    """Keep a value only of a run that trained to its own end, to a finite number."""
    value = member.value
    whole = member.status == Status.FINISHED and member.stop_reason not in {*HALTED, "diverged"}
    return member if whole and value is not None and math.isfinite(value) else member._replace(value=None)


def _group(value: Any, members: Sequence[Member], means: Sequence[float], *, higher: bool) -> RunGroup:
    seeds = _by_seed(members)
    even = len({frozenset(member.config for member in same) for same in seeds.values()}) < 2
    ordered = sorted(members, key=lambda one: (one.value is None, (one.value or 0.0) * (-1 if higher else 1)))
    best = ordered[0] if means else None
    return RunGroup(value, ordered, mean_interval(means) if means else None, even, best)


def _by_seed(members: Sequence[Member]) -> dict[Hashable, list[Member]]:
    """Sort the runs that have a value by seed; one that never said its seed stands for itself."""
    seeds: dict[Hashable, list[Member]] = {}
    for member in members:
        if member.value is not None:
            seeds.setdefault(("run", member.pk) if member.seed is None else member.seed, []).append(member)
    return seeds


def _means(members: Sequence[Member]) -> list[float]:
    return [_mean(same) for same in _by_seed(members).values()]


def _mean(members: Sequence[Member]) -> float:
    """Average a seed's runs, those of one configuration first: one that was run twice counts once."""
    configs: dict[str, list[float]] = {}
    for member in members:
        configs.setdefault(member.config, []).append(member.value or 0.0)
    means = [math.fsum(values) / len(values) for values in configs.values()]
    return math.fsum(means) / len(means)


def _rank(value: Hashable, means: Sequence[float], *, higher: bool) -> tuple[bool, float, str]:
    mean = math.fsum(means) / len(means) if means else 0.0
    return (not means, -mean if higher else mean, str(value))


def _unit(project: Project, metric: str) -> str:
    newest = project.runs.shown().filter(headline=metric).only("info").first()
    return str(newest.info.get("target_unit", "")) if newest else ""
