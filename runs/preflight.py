"""What is wrong with a submission before it is trained: the findings of its configurations, put together.

It warns and refuses nothing: whether a configuration can be trained at all is for ``runs.submission`` to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare
from nnlab.engine.config import TrainingConfig
from nnlab.health.checks.catalogue import CHECKS
from nnlab.health.events import AlertEvent, Severity
from nnlab.health.facts import describe_data
from nnlab.health.patches import Advice
from nnlab.health.preflight import preflight
from runs.submission import network_name
from runs.submitted.specification import Specification
from runs.training.attempt import problem_of

MOST_NETWORKS = 200  # that are looked at: each takes a millisecond or two

# What the checks before step 1 read of a configuration; those that differ in the rest are told the same.
READ = (
    "hidden_units", "activation", "batch_norm", "dropout", "initializer", "bias_initializer",
    "output_activation", "loss", "class_weights",
)  # fmt: skip
_RANKS = list(Severity)
_ORDER = [check.id for check in CHECKS]


@dataclass(frozen=True)
class Finding:
    """What one check finds before step 1, in all networks in which it finds it equally severe.

    Args:
        title: of the first of them, as are cause and advice.
        networks: their names; each may stand for several configurations.
        configurations: how many these are.
        varies: whether another network has other words, such as other numbers.
    """

    check: str
    severity: str
    title: str
    cause: str
    advice: tuple[Advice, ...]
    networks: tuple[str, ...]
    configurations: int
    varies: bool


@dataclass(frozen=True)
class Forecast:
    """What is found of a submission.

    Args:
        findings: the worst first.
        configurations: of the submission, without their seeds.
        networks: different ones among them.
        judged: how many of these were looked at.
        problem: why nothing could be looked at.
    """

    findings: tuple[Finding, ...] = ()
    configurations: int = 0
    networks: int = 0
    judged: int = 0
    problem: str = ""

    @property
    def lines(self) -> list[str]:
        """What is found as text, for the command line."""
        lines = [line for finding in self.findings for line in self._told(finding)]
        if self.is_partial:
            lines.append(f"looked at {self.judged:,} of {self.networks:,} networks, evenly chosen")
        return [*lines, self.problem] if self.problem else lines

    @property
    def is_partial(self) -> bool:
        """Whether there were too many networks to look at all of them."""
        return 0 < self.judged < self.networks

    def _told(self, finding: Finding) -> list[str]:
        where = f" ({finding.configurations:,} of {self.configurations:,} configurations)"
        shown = where if self.configurations > 1 else ""
        tries = [f"  try: {advice.title}" for advice in finding.advice]
        return [f"{finding.severity}: {finding.title}{shown}", f"  {finding.cause}", *tries]


def forecast(spec: Specification) -> Forecast:
    """Look at the networks of a submission as the checks do before step 1, at ``MOST_NETWORKS`` at most."""
    configs = {run.group: run.training for run in spec.runs}
    alike: dict[tuple[Any, ...], list[TrainingConfig]] = defaultdict(list)
    for config in configs.values():
        alike[tuple(getattr(config, field) for field in READ)].append(config)
    chosen = _evenly(list(alike.values()))
    try:
        problem = problem_of(prepare(spec.data, Path(settings.CSV_FOLDER)))
    except DataError as error:  # a file may have gone since it was checked
        return Forecast((), len(configs), len(alike), 0, str(error))
    facts, data = describe_data(problem), spec.data.to_dict()
    axes = [axis for axis in spec.axes if axis in READ]
    met: dict[tuple[str, Severity], list[_Met]] = defaultdict(list)
    for some in chosen:
        for event in preflight(some[0], problem, data=data, facts=facts):
            met[event.check, event.severity].append(_Met(event, network_name(some[0], axes), len(some)))
    found = [_finding(cases, len(spec.seeds)) for cases in met.values()]
    found.sort(key=lambda one: (-_RANKS.index(Severity(one.severity)), _ORDER.index(one.check)))
    return Forecast(tuple(found), len(configs), len(alike), len(chosen))


@dataclass(frozen=True)
class _Met:
    """An event of a network, and how many configurations share this network."""

    event: AlertEvent
    network: str
    configurations: int


def _evenly(networks: Sequence[list[TrainingConfig]]) -> list[list[TrainingConfig]]:
    """Choose from all parts of a grid where there are too many to look at."""
    count = min(len(networks), MOST_NETWORKS)
    return [networks[place * len(networks) // count] for place in range(count)]


def _finding(cases: Sequence[_Met], seeds: int) -> Finding:
    first = cases[0].event
    return Finding(
        check=first.check,
        severity=first.severity.value,
        title=first.title,
        cause=first.cause,
        advice=tuple(_fitting(first.advice, seeds)),
        networks=tuple(case.network for case in cases),
        configurations=sum(case.configurations for case in cases),
        varies=len({case.event.title for case in cases}) > 1,
    )


def _fitting(advice: Iterable[Advice], seeds: int) -> list[Advice]:
    """Leave out another seed where several are trained anyway."""
    return [one for one in advice if seeds == 1 or any(op.path != "seed" for op in one.ops)]
