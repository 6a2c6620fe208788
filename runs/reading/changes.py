"""What changed: the configurations of a project that differ in one knob, and those that lack a control."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform

from nnlab.stats.comparisons import ManyPaired, many_paired
from nnlab.stats.controlled import Pair, confounded_pairs, controlled_pairs
from nnlab.stats.differences import Difference, difference, finished, holm
from runs.models import ACTIVE, Project, Run, RunMetric, Status
from runs.models.states import HALTED
from runs.reading.knobs import LAYERS, Change, changes_between, knobs_of, whole_layers
from runs.reading.table import TableQuery, runs_of

MAX_RUNS = 100_000
MAX_GROUPS = 5_000  # of one dataset and metric; the newest count
MAX_ASKED = 500  # of these the newest, for the metrics that they have
_COLUMNS = ("pk", "name", "group", "headline", "dataset", "seed", "score", "status", "stop_reason")


class Scope(NamedTuple):
    """Runs whose scores can be compared: of one dataset, judged by one metric."""

    dataset: str
    metric: str


@dataclass
class Setup:
    """One configuration with all its seeds.

    Args:
        run: number of its newest run, which stands for it.
        values: score of each seed that ended on its own; None where it diverged, the last where it was rerun.
        seeds: of all its runs, those that wait or train among them.
        runs: numbers of its runs by seed.
    """

    key: str
    run: int
    name: str
    values: dict[int | None, float | None]
    seeds: set[int | None]
    runs: dict[int | None, int]
    source: str = ""
    knobs: Mapping[str, Hashable] | None = None

    @property
    def title(self) -> str:
        """Its name without a seed."""
        return self.name.partition(" seed ")[0]


@dataclass(frozen=True)
class Step:
    """From one configuration to another.

    Args:
        changes: one for a controlled pair; two or three where a control is missing.
        shared: seeds with a finished run on both sides.
        difference: over the shared seeds; None where there is none.
        p_value: corrected after Holm for all controlled pairs of the list; None without an interval.
    """

    before: Setup
    after: Setup
    changes: tuple[Change, ...]
    shared: tuple[int | None, ...]
    difference: Difference | None
    p_value: float | None = None


@dataclass(frozen=True)
class Changes:
    """What changed among runs.

    Args:
        scopes: that there are, with their configurations, the most first; ``scope`` is the one chosen.
        knobs: how many controlled pairs each has.
        total: controlled pairs of the knob asked for; ``steps`` are those of one page, the largest first.
        confounded: pairs that lack a control, the fewest knobs first; at most as many as a page has.
        open: how many of them there are.
        left_out: configurations beyond the newest ``MAX_GROUPS``.
        metrics: that the newest of them have, by any of which they can be compared.
    """

    scopes: Sequence[tuple[Scope, int]] = ()
    scope: Scope | None = None
    target_unit: str = ""
    groups: int = 0
    knobs: Mapping[str, int] | None = None
    total: int = 0
    steps: Sequence[Step] = ()
    confounded: Sequence[Step] = ()
    open: int = 0
    left_out: int = 0
    metrics: Sequence[str] = ()


def changes_of(
    project: Project, query: TableQuery, *, metric: str = "", knob: str = "", first: int = 0, count: int = 50
) -> Changes:
    """Find what changed among a project's runs.

    Args:
        query: the runs table's filters.
        metric: to compare by its final values; empty for what most configurations are judged by.
        knob: whose pairs are listed; empty for all.
        first: place of the first controlled pair to return, with ``count`` of them.
    """
    by_scope = _setups(project, query, metric)
    scopes = sorted(
        ((scope, len(found)) for scope, found in by_scope.items()), key=lambda one: (-one[1], one[0])
    )
    scope = next((one for one, _ in scopes if not metric or one.metric == metric), None)
    if scope is None:
        return Changes(scopes)
    setups = sorted(by_scope[scope].values(), key=lambda one: one.run)
    left_out = max(0, len(setups) - MAX_GROUPS)
    setups = setups[left_out:]
    unit = _read_knobs(setups)
    controlled, confounded = _pairs(setups)
    counts = Counter(pair.knobs[0] for pair in controlled)
    controlled = [pair for pair in controlled if knob in {"", *pair.knobs}]
    confounded = [pair for pair in confounded if knob in {"", *pair.knobs}]
    confounded.sort(key=lambda pair: (len(pair.knobs), -pair.after))
    return Changes(
        scopes,
        scope,
        unit,
        len(setups),
        dict(sorted(counts.items())),
        len(controlled),
        _ranked(setups, controlled, first, count),
        [_step(setups, pair) for pair in confounded[:count]],
        len(confounded),
        left_out,
        _metrics(setups, scope.metric),
    )


def shared_values(before: Setup, after: Setup) -> list[tuple[int | None, float, float]]:
    """Return the seeds that both have, with both values."""
    old, new = finished(before.values), finished(after.values)
    return [(seed, value, new[seed]) for seed, value in old.items() if seed in new]


def _metrics(setups: Sequence[Setup], known: str) -> list[str]:
    """Return the names of the metrics that the newest configurations have."""
    newest = [setup.run for setup in setups[-MAX_ASKED:]]
    rows = RunMetric.objects.filter(run__in=newest).order_by().values_list("name__text", flat=True)
    return sorted({known, *rows.distinct()})


def _setups(project: Project, query: TableQuery, metric: str) -> dict[Scope, dict[str, Setup]]:
    """Read the newest runs, and put them together to configurations.

    A run that has not begun is judged by no metric yet; it is one of its dataset's.
    """
    found: dict[Scope, dict[str, Setup]] = {}
    newest = _newest(runs_of(project, query), metric)
    for pk, name, group, headline, dataset, seed, score, ended_as in _told(newest):
        setups = found.setdefault(Scope(dataset, headline), {})
        setup = setups.setdefault(group, Setup(group, pk, name, {}, set(), {}))
        setup.seeds.add(seed)
        setup.runs.setdefault(seed, pk)
        if ended_as != "" and seed not in setup.values:
            setup.values[seed] = score if ended_as == "whole" and math.isfinite(score) else None
    waiting = {scope.dataset: found.pop(scope) for scope in list(found) if not scope.metric}
    for scope, setups in found.items():
        for key, setup in waiting.get(scope.dataset, {}).items():
            known = setups.setdefault(key, setup)
            known.seeds |= setup.seeds
            known.runs = {**setup.runs, **known.runs}
    return found


def _newest(runs: QuerySet[Run], metric: str) -> Iterator[tuple[Any, ...]]:
    """Read the newest runs; where a metric is asked for, with its final value in place of the score.

    Runs that are over and never had it are left out; others may come to have it.
    """
    newest = runs.order_by("-pk")
    if not metric:
        yield from newest.values_list(*_COLUMNS)[:MAX_RUNS]
        return
    for *told, value in newest.values_list(*_COLUMNS, KeyTransform(metric, "summary"))[:MAX_RUNS]:
        pk, name, group, headline, dataset, seed, _, status, reason = told
        if headline == metric:
            yield tuple(told)
        elif value is not None:
            number = float(value) if isinstance(value, int | float) else math.nan  # a word such as "NaN"
            yield pk, name, group, metric, dataset, seed, number, status, reason
        elif status in ACTIVE:
            yield pk, name, group, "", dataset, seed, None, status, reason


def _told(newest: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Say of each run how it ended: whole, diverged, or not at all, so that it counts for nothing."""
    for *told, score, status, reason in newest:
        is_whole = status == Status.FINISHED and reason not in HALTED and score is not None
        yield *told, score, "diverged" if reason == "diverged" else "whole" if is_whole else ""


def _read_knobs(setups: Sequence[Setup]) -> str:
    """Read the configurations of setups, one run each; the unit of their target."""
    by_run = {setup.run: setup for setup in setups}
    units: Counter[str] = Counter()
    rows = Run.objects.filter(pk__in=by_run).order_by()
    for pk, source, config, unit in rows.values_list(
        "pk", "source", "config", KeyTransform("target_unit", "info")
    ):
        by_run[pk].source, by_run[pk].knobs = source, knobs_of(config, source)
        units[unit or ""] += 1
    return units.most_common(1)[0][0] if len(units) == 1 else ""


def _pairs(setups: Sequence[Setup]) -> tuple[list[Pair], list[Pair]]:
    """Find controlled and confounded pairs; even layers are depth and width beside even ones only."""
    knobs = [setup.knobs or {} for setup in setups]
    even = [place for place, one in enumerate(knobs) if LAYERS not in one]
    found = []
    for search in (controlled_pairs, confounded_pairs):
        pairs = [
            Pair(even[pair.before], even[pair.after], pair.knobs)
            for pair in search([knobs[place] for place in even])
        ]
        if len(even) < len(knobs):
            whole = search([whole_layers(one) for one in knobs])
            pairs += [pair for pair in whole if LAYERS in {*knobs[pair.before], *knobs[pair.after]}]
        found.append(pairs)
    return found[0], found[1]


def _ranked(setups: Sequence[Setup], pairs: Sequence[Pair], first: int, count: int) -> list[Step]:
    """Return a page of controlled pairs, the largest differences first, those without an interval last."""
    differences = [
        [new - old for _, old, new in shared_values(setups[pair.before], setups[pair.after])]
        for pair in pairs
    ]
    table = many_paired(differences)
    corrected = _corrected(table)
    order = np.lexsort((-np.nan_to_num(np.abs(table.mean)), -np.minimum(table.n, 2)))
    return [
        _step(setups, pairs[place], corrected.get(place)) for place in map(int, order[first : first + count])
    ]


def _corrected(table: ManyPaired) -> dict[int, float]:
    tested: Iterable[int] = map(int, np.flatnonzero(np.isfinite(table.p_value)))
    places = list(tested)
    return dict(zip(places, holm([float(table.p_value[place]) for place in places]), strict=True))


def _step(setups: Sequence[Setup], pair: Pair, p_value: float | None = None) -> Step:
    before, after = setups[pair.before], setups[pair.after]
    shared = shared_values(before, after)
    made: Any = None
    if shared:
        made = difference({seed: old for seed, old, _ in shared}, {seed: new for seed, _, new in shared})
    changes = changes_between(before.knobs or {}, after.knobs or {})
    return Step(before, after, changes, tuple(seed for seed, _, _ in shared), made, p_value)
