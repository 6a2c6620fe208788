"""The runs table in groups: every run that matches counts, whatever a page shows.

Of each run only narrow columns are read, which the table's index holds, and arrays do the rest: names are
read of the few runs that are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Case, Q, Value, When
from numpy.typing import NDArray

from nnlab.stats.intervals import LARGEST, Interval, mean_interval
from nnlab.stats.seeds import SeedMeans, numbered, seed_means
from runs.models import Project, Run, RunMetric, RunParam, Status
from runs.models.states import HALTED
from runs.reading.filters import TypedField, TypedRow
from runs.reading.metrics import higher_is_better
from runs.reading.paging import FEW
from runs.reading.table import GROUPS, TableQuery, runs_of

SHOWN = 200  # groups of a page
SHOWN_RUNS = 50  # of an opened group
_READ = ("pk", "group", "seed", "headline", "score", "standing")
_WHOLE, _DIVERGED = "whole", "diverged"
_STANDING = Case(  # whether a run trained to its own end
    When(stop_reason="diverged", then=Value(_DIVERGED)),
    When(Q(status=Status.FINISHED) & ~Q(stop_reason__in=HALTED), then=Value(_WHOLE)),
    default=Value(""),
)


class Member(NamedTuple):
    """A run of a group, as a list of its runs shows it."""

    pk: int
    name: str
    status: str
    stop_reason: str
    seed: int | None

    @property
    def diverged(self) -> bool:
        """Whether the run ended because its numbers stopped being finite."""
        return self.stop_reason == "diverged"


@dataclass(frozen=True)
class RunGroup:
    """The runs that have one value of what the table is grouped by.

    Shapes: runs and values (runs of the group,), the best run first.

    Args:
        runs: their numbers.
        values: NaN where a run diverged, has none, or has trained less than others.
        interval: of the mean over seeds; the configurations of a seed are averaged first.
        even: every seed has the same configurations, so that only the seed differs between its values.
        diverged: number of runs that diverged; none of them is in the mean.
    """

    value: Any
    runs: NDArray[np.int64]
    values: NDArray[np.float64]
    interval: Interval | None
    even: bool
    diverged: int

    @property
    def without_result(self) -> int:
        """Number of runs that wait, train, failed, were stopped, or lack the metric."""
        return int(np.isnan(self.values).sum()) - self.diverged

    @property
    def best(self) -> tuple[int, float] | None:
        """The run with the best value, and that; None where none has one."""
        value = float(self.values[0])
        return None if np.isnan(value) else (int(self.runs[0]), value)


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


@dataclass(frozen=True)
class _Runs:
    """What is read of the runs that match, the newest first. Shapes: all (runs,)."""

    numbers: NDArray[np.int64]
    keys: Sequence[Any]
    configs: Sequence[str]
    seeds: Sequence[int | None]
    diverged: NDArray[np.bool_]
    values: NDArray[np.float64]
    metric: str


def groups_of(project: Project, query: TableQuery) -> Groups:
    """Group the runs that match by what the address asks for."""
    runs = _read(project, query)
    if not runs.keys:
        return Groups()
    keys, owner = numbered(runs.keys)
    counted = np.flatnonzero(np.isfinite(runs.values))
    means = _means(runs, owner, counted, len(keys))
    own = isinstance(query.order.by, TypedField)
    sign = -1 if (query.order.descending if own else higher_is_better(runs.metric)) else 1
    shown = _best_first(keys, sign * means.middles())[:SHOWN]
    members = _members(owner, sign * runs.values, shown)
    groups = [_group(keys[group], runs, members[group], means, group) for group in shown]
    return Groups(groups, len(keys), len(owner), runs.metric, _unit(project, runs.metric))


def members_of(numbers: Iterable[int]) -> dict[int, Member]:
    """Return what lists show of runs, by their numbers."""
    rows = Run.objects.filter(pk__in=list(numbers)).order_by()
    return {member.pk: member for member in map(Member._make, rows.values_list(*Member._fields))}


def _read(project: Project, query: TableQuery) -> _Runs:
    """Read the runs that match, and the values that their groups are compared by."""
    by, column = query.order.by, GROUPS.get(query.group)
    found = runs_of(project, query).order_by("-pk").annotate(standing=_STANDING)
    names = [*_READ, *([column] if column else [])]
    rows = list(found.values_list(*names))
    columns = [list(map(itemgetter(place), rows)) for place in range(len(names))]  # zip would take longer
    numbers, configs, seeds, headlines, scores, standing, *rest = columns
    if isinstance(by, TypedField):
        metric = by.name
        values = np.array(_typed(RunMetric, project, query.order.name, by.aspect, numbers), np.float64)
    else:
        counts = Counter(headlines)
        metric = max(filter(None, counts), key=counts.__getitem__, default="")
        values = np.array(scores, np.float64)
        values[[judged_by != metric for judged_by in headlines]] = np.nan
    stands = np.array(standing, np.str_)
    values[(stands != _WHOLE) | ~(np.abs(values) <= LARGEST)] = np.nan
    keys = rest[0] if column else _params(project, query, numbers)
    return _Runs(np.array(numbers, np.int64), keys, configs, seeds, stands == _DIVERGED, values, metric)


def _params(project: Project, query: TableQuery, numbers: Sequence[int]) -> Sequence[Any]:
    """Read the values of a parameter; where some have words, those without any have none."""
    rows = RunParam.objects.filter(project=project, name=query.group_name)
    column = "text" if rows.filter(text__isnull=False).exists() else "number"
    return _typed(RunParam, project, query.group_name, column, numbers)


def _typed(
    model: TypedRow, project: Project, name: int, column: str, numbers: Sequence[int]
) -> Sequence[Any]:
    """Read one column of typed rows, one a run: those of the whole project in one go where many are asked."""
    rows = model.objects.filter(project=project, name=name, **{f"{column}__isnull": False})
    if len(numbers) <= FEW:
        rows = rows.filter(run__in=numbers)
    found: Mapping[int, Any] = dict(rows.order_by().values_list("run_id", column))
    return [found.get(number) for number in numbers]


def _means(runs: _Runs, owner: NDArray[np.int64], counted: NDArray[np.int64], groups: int) -> SeedMeans:
    """Average over configurations; a run that never said its seed stands for itself."""
    _, configs = numbered(runs.configs)
    said, seeds = numbered(runs.seeds)
    if None in said:
        seeds = np.where(seeds == said.index(None), len(said) + np.arange(seeds.size), seeds)
    return seed_means(owner[counted], seeds[counted], configs[counted], runs.values[counted], groups)


def _best_first(keys: Sequence[Any], ranks: NDArray[np.float64]) -> list[int]:
    """Sort groups by their means, those without one last, and equal ones by name; the first at least."""
    ranks = np.where(np.isnan(ranks), np.inf, ranks)
    last = np.sort(ranks)[min(SHOWN, ranks.size) - 1]
    chosen = np.flatnonzero(ranks <= last).tolist()
    return sorted(chosen, key=lambda group: (ranks[group], str(keys[group])))


def _members(
    owner: NDArray[np.int64], ranks: NDArray[np.float64], shown: Sequence[int]
) -> dict[int, NDArray[np.int64]]:
    """Find the places of the runs of some groups, the best first; NaN comes last."""
    wanted = np.zeros(owner.max() + 1, np.bool_)
    wanted[shown] = True
    places = np.flatnonzero(wanted[owner])
    places = places[np.lexsort((ranks[places], owner[places]))]
    groups = np.array(shown)
    first, last = (np.searchsorted(owner[places], groups + more).tolist() for more in (0, 1))
    return {group: places[first[at] : last[at]] for at, group in enumerate(shown)}


def _group(value: Any, runs: _Runs, places: NDArray[np.int64], means: SeedMeans, group: int) -> RunGroup:
    over_seeds = means.of(group)
    return RunGroup(
        value,
        runs.numbers[places],
        runs.values[places],
        mean_interval(over_seeds) if over_seeds.size else None,
        bool(means.even[group]),
        int(runs.diverged[places].sum()),
    )


def _unit(project: Project, metric: str) -> str:
    newest = project.runs.shown().filter(headline=metric).only("info").first()
    return str(newest.info.get("target_unit", "")) if newest else ""
