"""What a set of runs says: groups over seeds, factors and their levels, in plain values for the charts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nnlab.stats.intervals import Interval, mean_interval
from runs.models import Run, Source, Status
from runs.pages.formats import NOT_SAID, learning_rate, network, unit_of
from runs.reading.metrics import higher_is_better

FACTORS = ("depth", "width", "activation", "dropout")
MORE_FACTORS = ("optimizer", "learning_rate", "batch_size", "dataset")
_SPEAK_FOR_THEMSELVES = ("activation", "optimizer", "dataset")
_NETWORK_FIELDS = (
    "hidden_units",
    "activation",
    "dropout",
    "optimizer",
    "learning_rate",
    "batch_size",
    "seed",
)


@dataclass(frozen=True)
class Member:
    """One run of a comparison.

    Args:
        levels: of each factor.
        rest: whatever else its configuration says, as one text.
        value: final value of the metric; None where the run diverged or has none.
        counts: whether it ended on its own and has the metric, so that statistics may use it.
    """

    run: Run
    levels: Mapping[str, Any]
    rest: str
    value: float | None
    counts: bool


@dataclass(frozen=True)
class Group:
    """Runs that differ by their seed only."""

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
        by_seed: dict[int | None, list[float]] = {}
        for member in self.members:
            if member.counts and member.value is not None:
                by_seed.setdefault(member.run.seed, []).append(member.value)
        means = [math.fsum(values) / len(values) for values in by_seed.values()]
        return mean_interval(means) if means else None

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
    def rank(self) -> tuple[bool, float]:
        """Sorts the better mean first, and groups without one last."""
        return (self.interval is None, -self.better * self.interval.mean if self.interval else 0.0)


@dataclass(frozen=True)
class Comparison:
    """A set of runs under one metric.

    Args:
        groups: the best mean first.
        factors: every factor with its levels, in their order; a factor that was not varied has one.
    """

    metric: str
    unit: str
    members: Sequence[Member]
    groups: Sequence[Group]
    factors: Mapping[str, Sequence[Any]]

    @property
    def higher(self) -> bool:
        """Whether a larger value of the metric is better."""
        return higher_is_better(self.metric)

    @property
    def validates(self) -> bool:
        """Whether the metric was measured on rows that were not trained on; only such a one may choose."""
        return self.metric.startswith("val_")

    @property
    def varied(self) -> list[str]:
        """The factors with more than one level."""
        return [factor for factor, levels in self.factors.items() if len(levels) > 1]

    @property
    def seeds(self) -> int:
        """The largest number of seeds behind a mean."""
        return max((group.interval.n for group in self.groups if group.interval), default=0)

    def rows(self) -> list[dict[str, Any]]:
        """Write the runs that ended as rows for the statistics of factors."""
        return [
            {**member.levels, "rest": member.rest, "seed": member.run.seed, "value": member.value}
            for member in self.members
            if member.counts
        ]


def compare_runs(runs: Sequence[Run], metric: str) -> Comparison:
    """Group runs over seeds and find what was varied."""
    members = [_member(run, metric) for run in runs]
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
    groups = [Group(labels[key], found, better) for key, found in by_group.items()]
    units = {unit_of(metric, run.info.get("target_unit", "")) for run in runs}
    unit = units.pop() if len(units) == 1 else ""
    return Comparison(metric, unit, members, sorted(groups, key=lambda group: group.rank), factors)


def level_text(factor: str, level: Any) -> str:
    """Write a level as it stands on an axis."""
    if factor == "learning_rate" and level != NOT_SAID:
        return learning_rate(level)
    return f"{level:g}" if isinstance(level, float) else str(level)


def _member(run: Run, metric: str) -> Member:
    is_whole = run.status == Status.FINISHED and not run.was_halted  # others have trained less
    counts = run.diverged or (is_whole and metric in run.summary)
    value = None if run.diverged else _finite(run.summary.get(metric))
    levels = {factor: getattr(run, factor) for factor in (*FACTORS, *MORE_FACTORS)}
    if run.source == Source.OUTSIDE:
        said = {factor: NOT_SAID if level in {None, ""} else level for factor, level in levels.items()}
        return Member(run, said, _rest_outside(run), value, counts)
    if run.width is None:
        levels["width"] = network(run.config["training"].get("hidden_units"))
    if run.dropout is None:
        levels["dropout"] = "differs"
    return Member(run, levels, _rest(run), value, counts)


def _rest(run: Run) -> str:
    rest = {key: value for key, value in run.config["training"].items() if key not in _NETWORK_FIELDS}
    data = {key: value for key, value in run.config["data"].items() if key != "dataset"}
    return json.dumps({"data": data, "training": rest}, sort_keys=True)


def _rest_outside(run: Run) -> str:
    known = {*_NETWORK_FIELDS, *FACTORS, *MORE_FACTORS, "lr"}
    return json.dumps({key: value for key, value in run.config.items() if key not in known}, sort_keys=True)


def _network_text(run: Run) -> str:
    if run.source == Source.OUTSIDE:
        return run.name
    return f"{network(run.config['training'].get('hidden_units'))} {run.activation}"


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _labels(first: Mapping[str, Member], varied: Sequence[str]) -> dict[str, str]:
    """Name each group by what was varied; groups that share a name differ elsewhere and get a letter more."""
    labels: dict[str, str] = {}
    taken: dict[str, int] = {}
    for key, member in first.items():
        parts = [_named_level(factor, member.levels[factor]) for factor in varied]
        name = ", ".join(parts) or _network_text(member.run)
        taken[name] = taken.get(name, 0) + 1
        labels[key] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    return labels


def _named_level(factor: str, level: Any) -> str:
    text = level_text(factor, level)
    return text if factor in _SPEAK_FOR_THEMSELVES else f"{factor.replace('_', ' ')} {text}"


def _level_order(level: Any) -> tuple[int, Any]:
    return (0, level) if isinstance(level, int | float) else (1, str(level))
