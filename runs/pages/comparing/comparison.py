"""What a set of runs says: groups over seeds, factors and their levels, in plain values for the charts."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nnlab.stats.intervals import LARGEST, Interval, mean_interval
from runs.models import Source, Status
from runs.pages.choosing import choosing_caution
from runs.pages.comparing.configs import FACTORS, MORE_FACTORS, networks_of, rests_of
from runs.pages.formats import NOT_SAID, is_share, learning_rate, metric_title, network, sentence, unit_of
from runs.reading.comparison import RunRow
from runs.reading.metrics import higher_is_better

_SPEAK_FOR_THEMSELVES = ("activation", "optimizer", "dataset")


@dataclass(frozen=True)
class Member:
    """One run of a comparison.

    Args:
        levels: of each factor.
        value: final value of the metric; None where the run diverged or has none.
        counts: whether it ended on its own and has the metric, so that statistics may use it.
    """

    run: RunRow
    levels: Mapping[str, Any]
    value: float | None
    counts: bool


@dataclass(frozen=True)
class Group:
    """Runs that differ by their seed only; the key is the same on every page and at any time."""

    key: str
    label: str
    members: Sequence[Member]
    better: int

    @property
    def levels(self) -> Mapping[str, Any]:
        """The level of each factor."""
        return self.members[0].levels

    @cached_property
    def interval(self) -> Interval | None:
        """Mean and t interval over the seeds that have a final value."""
        return seed_interval(
            (member.run.replicate, member.value)
            for member in self.members
            if member.counts and member.value is not None
        )

    @property
    def diverged(self) -> int:
        """Runs that ended without a finite value."""
        return sum(member.counts and member.value is None for member in self.members)

    @property
    def without_result(self) -> int:
        """Runs that wait, train, failed, were stopped, or never had the metric."""
        return sum(not member.counts for member in self.members)

    @property
    def best(self) -> Member | None:
        """The member with the best final value."""
        scored = [member for member in self.members if member.counts and member.value is not None]
        return max(scored, key=lambda member: self.better * (member.value or 0.0), default=None)

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Sorts the better mean first, groups of which most runs diverged later, and those without one last.

        A diverged run counts as the worst, so where most diverged the typical one did.
        """
        mostly = 2 * self.diverged > sum(member.counts for member in self.members)
        return (self.interval is None, mostly, -self.better * self.interval.mean if self.interval else 0.0)


@dataclass(frozen=True)
class Comparison:
    """A set of runs under one metric.

    Args:
        groups: the best mean first.
        factors: every factor with its levels, in their order; a factor that was not varied has one.
        test: the metric of the test rows that belongs to the metric, if runs have it; empty for none.
        tests: its final value, by run.
    """

    metric: str
    unit: str
    members: Sequence[Member]
    groups: Sequence[Group]
    factors: Mapping[str, Sequence[Any]]
    test: str = ""
    tests: Mapping[int, float] = field(default_factory=dict)

    @property
    def higher(self) -> bool:
        """Whether a larger value of the metric is better."""
        return higher_is_better(self.metric)

    @property
    def validates(self) -> bool:
        """Whether the metric was measured on rows that were not trained on; only such a one may choose."""
        return self.metric.startswith("val_")

    @property
    def caution(self) -> str:
        """Why this metric should choose nothing; empty for one of the validation rows."""
        if self.validates:
            return ""
        title = metric_title(self.metric)
        if warned := choosing_caution(self.metric, "Groups are ranked"):
            return warned
        rows = (
            "was measured on the training rows" if self.metric.startswith("train_") else "does not validate"
        )
        return f"{sentence(title)} {rows}: choose by a validation metric instead."

    @property
    def value_title(self) -> str:
        """The metric with its unit, as an axis names it."""
        title = metric_title(self.metric)
        unit = "%" if is_share(self.metric) else self.unit
        return f"{title} ({unit})" if unit else title

    @property
    def scale(self) -> float:
        """What turns a value into the one of the axis that ``value_title`` names."""
        return 100.0 if is_share(self.metric) else 1.0

    @property
    def varied(self) -> list[str]:
        """The factors with more than one level."""
        return [factor for factor, levels in self.factors.items() if len(levels) > 1]

    @property
    def seeds(self) -> int:
        """The largest number of seeds behind a mean."""
        return max((group.interval.n for group in self.groups if group.interval), default=0)

    @property
    def interval_exceeds(self) -> bool:
        """Whether an interval of shares reaches beyond what is possible."""
        found = [group.interval for group in self.groups if group.interval] if is_share(self.metric) else []
        return any(one.low is not None and (one.low < 0 or (one.high or 0) > 1) for one in found)

    def rows(self) -> list[dict[str, Any]]:
        """Write the runs that ended as rows for the statistics of factors.

        ``rest`` is whatever else the configuration says, as one text. It is read once for each group.
        """
        rests = rests_of([group.members[0].run for group in self.groups])
        return [
            {**member.levels, "rest": rests[member.run.group], "seed": member.run.seed, "value": member.value}
            for member in self.members
            if member.counts
        ]


def compare_runs(runs: Sequence[RunRow], metric: str, values: Mapping[int, Any]) -> Comparison:
    """Group runs over seeds and find what was varied.

    Args:
        runs: to compare.
        metric: to compare them by.
        values: how it stood at the end of each run; one without it has none.
    """
    networks = networks_of([run for run in runs if run.width is None and run.source != Source.OUTSIDE])
    members = [_member(run, values, networks) for run in runs]
    factors = {
        factor: sorted({member.levels[factor] for member in members}, key=_level_order)
        for factor in (*FACTORS, *MORE_FACTORS)
    }
    factors = {
        factor: levels
        for factor, levels in factors.items()
        if len(levels) > 1 or (factor in FACTORS and levels != [NOT_SAID])
    }
    varied = [factor for factor, levels in factors.items() if len(levels) > 1]
    by_group: dict[str, list[Member]] = {}
    for member in members:
        by_group.setdefault(member.run.group, []).append(member)
    better = 1 if higher_is_better(metric) else -1
    labels = _labels({key: found[0] for key, found in by_group.items()}, varied)
    groups = [Group(key, labels[key], found, better) for key, found in by_group.items()]
    units = {unit_of(metric, run.target_unit or "") for run in runs}
    unit = units.pop() if len(units) == 1 else ""
    return Comparison(metric, unit, members, sorted(groups, key=lambda group: group.rank), factors)


def seed_interval(values: Iterable[tuple[Hashable, float]]) -> Interval | None:
    """Return mean and t interval over seeds; runs of one seed are averaged first and count once."""
    by_seed: dict[Hashable, list[float]] = {}
    for seed, value in values:
        by_seed.setdefault(seed, []).append(value)
    means = [math.fsum(found) / len(found) for found in by_seed.values()]
    return mean_interval(means) if means else None


def level_text(factor: str, level: Any) -> str:
    """Write a level as it stands on an axis."""
    if factor == "learning_rate" and level != NOT_SAID:
        return learning_rate(level)
    return f"{level:g}" if isinstance(level, float) else str(level)


def _member(run: RunRow, values: Mapping[int, Any], networks: Mapping[str, str]) -> Member:
    is_whole = run.status == Status.FINISHED and not run.was_halted  # others have trained less
    counts = run.diverged or (is_whole and run.pk in values)
    value = None if run.diverged else finite(values.get(run.pk))
    levels = {factor: getattr(run, factor) for factor in (*FACTORS, *MORE_FACTORS)}
    if run.source == Source.OUTSIDE:
        said = {factor: NOT_SAID if level in {None, ""} else level for factor, level in levels.items()}
        return Member(run, said, value, counts)
    if run.width is None:
        levels["width"] = networks[run.group]
    if run.dropout is None:
        levels["dropout"] = "differs"
    return Member(run, levels, value, counts)


def _network_text(member: Member) -> str:
    run = member.run
    if run.source == Source.OUTSIDE:
        return run.name
    layers = member.levels["width"] if run.width is None else network([run.width] * (run.depth or 0))
    return f"{layers} {run.activation}"


def finite(value: Any) -> float | None:
    """Return a number that can be reckoned with, else None: NaN, infinities and their like are none."""
    return float(value) if isinstance(value, int | float) and abs(value) <= LARGEST else None


def _labels(first: Mapping[str, Member], varied: Sequence[str]) -> dict[str, str]:
    """Name each group by what was varied; groups that share a name differ elsewhere and get a letter more."""
    labels: dict[str, str] = {}
    taken: dict[str, int] = {}
    for key, member in first.items():
        parts = [named_level(factor, member.levels[factor]) for factor in varied]
        name = ", ".join(parts) or _network_text(member)
        taken[name] = taken.get(name, 0) + 1
        labels[key] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    return labels


def named_level(factor: str, level: Any) -> str:
    """Write a level as it stands in the name of a group."""
    text = level_text(factor, level)
    return text if factor in _SPEAK_FOR_THEMSELVES else f"{factor.replace('_', ' ')} {text}"


def _level_order(level: Any) -> tuple[int, Any]:
    return (0, level) if isinstance(level, int | float) else (1, str(level))
