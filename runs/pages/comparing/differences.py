"""Differences: each group against one of them, how sure that is, and the seeds that would tell more."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.stats.comparisons import ALPHA, Compared, against, statement
from nnlab.stats.differences import Difference
from nnlab.stats.effects import Effect, effect, superiority
from nnlab.stats.equivalence import Equivalence, equivalences
from nnlab.stats.planning import MoreSeeds, more_seeds
from runs.models import ACTIVE, Source
from runs.pages.comparing.comparison import Comparison, Group, level_text
from runs.pages.comparing.difference_chart import difference_chart
from runs.pages.comparing.more_seeds import MAX_GROUPS, MAX_NEW_SEEDS
from runs.pages.comparing.view import CompareView
from runs.pages.formats import MISSING, is_share, score
from runs.reading.extended import extended_groups

SHOWN = 50
MAX_CHOICES = 200  # groups that the form offers as the reference
FIELDS = ("ref", "within", "resolve")
USUAL_SEEDS = 4  # to add where one seed gives no interval
_USUAL_POINTS = 0.5

Values = dict[Hashable, float | None]


@dataclass(frozen=True)
class Row:
    """One group against the reference.

    Args:
        label: in which factors it differs from the reference.
        sentence: the difference in words; ``difference``, ``interval`` and ``seeds_told`` say it in columns.
        superiority: how often a run of it is better than one of the reference, diverged ones the worst.
        plan: how many more seeds would resolve the difference asked for; ``planned`` says it in a sentence.
        seeds: to add with one click to the groups ``adds_to``; none where nothing is to be added.
        extended: seeds were added after the first could be looked at, to it or to the reference.
    """

    group: Group
    compared: Compared
    label: str
    sentence: str
    difference: str
    interval: str
    seeds_told: str
    verdict: str
    effect: Effect | None
    superiority: float | None
    equivalence: str
    plan: str
    planned: str
    seeds: tuple[int, ...]
    adds_to: tuple[str, ...]
    extended: bool


def differences_tab(comparison: Comparison, view: CompareView, warnings: list[str]) -> dict[str, Any]:
    """Build the tab of differences."""
    groups = {group.key: group for group in comparison.groups}
    reference = _reference(groups, view, warnings)
    unit = "points" if is_share(comparison.metric) else comparison.unit
    values = {key: seed_values(group) for key, group in groups.items()}
    within = _amount("within", view, warnings)
    resolve = _amount("resolve", view, warnings) or _usual(comparison, reference)
    is_best = reference is _best(comparison.groups)
    family = against(values, reference.key, picked=is_best)
    scale = comparison.scale
    same = equivalences([one.difference for one in family], within / scale) if within else []
    asked = _Asked(
        unit,
        scale,
        resolve / scale,
        comparison.higher,
        _extended([reference, *(groups[str(one.after)] for one in family[:SHOWN])]),
        comparison.metric,
        comparison.varied,
    )
    rows = [
        _row(one, groups, values, asked, _said(equal) if within else "")
        for one, equal in itertools.zip_longest(family[:SHOWN], same[:SHOWN])
    ]
    found = {
        "reference": reference,
        "is_best": is_best,
        "choices": comparison.groups[:MAX_CHOICES],
        "unit": unit,
        "kept": view.pairs(without=FIELDS),
        "rows": rows,
        "more": len(family) - len(rows),
        "statement": statement(family),
        "within": within,
        "resolve": resolve,
        "alone": _alone(comparison.groups),
        "back": view.address(),
        "chart": difference_chart(comparison, reference, rows, unit, within),
    }
    return {"differences": found}


def _extended(groups: Sequence[Group]) -> frozenset[str]:
    return extended_groups([member.run.pk for group in groups for member in group.members])


def seed_values(group: Group) -> Values:
    """Return the final value of each seed of a group; None where it diverged, the mean where it was rerun."""
    found: dict[Hashable, list[float]] = {}
    for member in group.members:
        if member.counts:
            values = found.setdefault(member.run.replicate, [])
            values += [] if member.value is None else [member.value]
    return {seed: math.fsum(some) / len(some) if some else None for seed, some in found.items()}


@dataclass(frozen=True)
class _Asked:
    """What rows are written by; ``resolve`` as the metric is stored."""

    unit: str
    scale: float
    resolve: float
    higher: bool
    extended: frozenset[str]
    metric: str
    varied: Sequence[str]


def _reference(groups: Mapping[str, Group], view: CompareView, warnings: list[str]) -> Group:
    asked = view.extra.get("ref", "")
    if asked and asked not in groups:
        warnings.append(f"ref={asked[:60]}: these runs have no such group; the best one is compared with.")
    return groups.get(asked) or _best(list(groups.values()))


def _best(groups: Sequence[Group]) -> Group:
    """Return the best mean of several seeds: one seed gives no interval with anything."""
    several = (group for group in groups if group.interval is not None and group.interval.n > 1)
    return next(several, groups[0])  # the best mean comes first


def _amount(name: str, view: CompareView, warnings: list[str]) -> float | None:
    text = view.extra.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if value > 0 and math.isfinite(value):
        return value
    warnings.append(f"{name}={text[:60]}: expected a number above 0; it was left out.")
    return None


def _usual(comparison: Comparison, reference: Group) -> float:
    """Choose a difference worth finding: half a point of a share, else some 2 % of the reference's mean."""
    if is_share(comparison.metric):
        return _USUAL_POINTS
    size = abs(reference.interval.mean) / 50 if reference.interval else 0.0
    return float(f"{size:.0e}") if size > 0 else 0.01


def _row(
    compared: Compared, groups: Mapping[str, Group], values: Mapping[str, Values], asked: _Asked, equal: str
) -> Row:
    group, reference = groups[str(compared.after)], groups[str(compared.before)]
    old, new = values[reference.key], values[group.key]
    found = compared.difference
    plan = more_seeds(old, new, asked.resolve)
    seeds = _seeds(group, reference, plan)
    return Row(
        group,
        compared,
        _label(group, reference, asked.varied),
        found.sentence(asked.unit, asked.scale) if found else "no finished run on both sides",
        *_numbers(found, asked),
        verdict(compared.p_value, found, higher=asked.higher),
        effect(old, new),
        superiority(old, new, higher=asked.higher) if old and new else None,
        equal,
        plan.short if plan else "cannot be told",
        plan.sentence(asked.unit, asked.scale)
        if plan
        else "too few seeds, or all alike, to tell how they vary",
        seeds,
        (reference.key, group.key) if seeds else (),
        not asked.extended.isdisjoint((group.key, reference.key)),
    )


def _label(group: Group, reference: Group, varied: Sequence[str]) -> str:
    """Name a group by the levels in which it differs from the reference."""
    names = [
        f"{factor.replace('_', ' ')} {level_text(factor, group.levels[factor])}"
        for factor in varied
        if group.levels[factor] != reference.levels[factor]
    ]
    return ", ".join(names) or group.label


def _numbers(found: Difference | None, asked: _Asked) -> tuple[str, str, str]:
    """Write a difference, its interval and the seeds behind it."""
    if found is None:
        return MISSING, MISSING, MISSING
    seeds = f"{found.n_before} and {found.n_after}"
    if found.paired:
        seeds = f"{found.n_before} pair{'' if found.n_before == 1 else 's'}"
    if found.diverged:
        seeds += f", {found.diverged} diverged"
    ends = [] if found.low is None or found.high is None else [found.low, found.high]
    written = [signed(one, asked.metric, asked.unit) for one in (found.mean, *ends)]
    return written[0], " to ".join(written[1:]) or MISSING, seeds


def signed(value: float, metric: str, unit: str) -> str:
    """Write a difference of a metric with its sign, bare: in points for a share."""
    size = f"{100 * abs(value):.1f}" if is_share(metric) else score(abs(value), metric, unit, bare=True)
    return f"{'−' if value < 0 else '+'}{size}"


def verdict(p_value: float | None, found: Difference | None, *, higher: bool) -> str:
    """Say whether groups differ, by a p value that is corrected for how many are compared."""
    if found is None or p_value is None:
        return "cannot be told"
    if p_value < ALPHA:
        return "better" if (found.mean > 0) == higher else "worse"
    return "not certain among so many" if found.found else "no difference found"


def _said(found: Equivalence | None) -> str:
    if found is None:
        return "no interval"
    return "equivalent" if found.shown else "not shown"


def _seeds(group: Group, reference: Group, plan: MoreSeeds | None) -> tuple[int, ...]:
    """Choose seeds that would make further pairs: those that one side has, then new ones."""
    if Source.OUTSIDE in {group.members[0].run.source, reference.members[0].run.source}:
        return ()
    number = USUAL_SEEDS if plan is None else min(plan.more or plan.at_most or 0, MAX_NEW_SEEDS)
    sides = [{member.run.seed for member in one.members} - {None} for one in (group, reference)]
    waiting = [
        {member.run.seed for member in one.members if member.run.status in ACTIVE}
        for one in (group, reference)
    ]
    under_way = len(sides[0] & sides[1] & (waiting[0] | waiting[1]))
    return new_seeds(sides[0] ^ sides[1], sides[0] | sides[1], number - under_way)


def new_seeds(half: Iterable[int | None], used: set[int | None], number: int) -> tuple[int, ...]:
    """Choose seeds: first those of ``half``, which only some have, then the smallest that nobody has."""
    fresh = (seed for seed in itertools.count() if seed not in used)
    ready = sorted(seed for seed in half if seed is not None)
    return tuple(itertools.islice(itertools.chain(ready, fresh), max(0, number)))


def _alone(groups: Sequence[Group]) -> dict[str, Any]:
    """Offer more seeds to all groups of one seed at once: without a second there is no interval."""
    single = [
        group
        for group in groups
        if len({member.run.seed for member in group.members}) == 1
        and group.members[0].run.source != Source.OUTSIDE
    ]
    chosen = single[:MAX_GROUPS]
    used = {member.run.seed for group in chosen for member in group.members}
    return {
        "groups": [group.key for group in chosen],
        "number": len(chosen),
        "more": len(single) - len(chosen),
        "seeds": new_seeds((), used, USUAL_SEEDS),
    }
