"""What a submission asks for, counted and listed before it is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.models import Run
from runs.submission import network_name
from runs.submitted.specification import Planned, Specification

MAX_LISTED = 300  # configurations; a sweep may have thousands


@dataclass(frozen=True)
class Configuration:
    """One line of the list.

    Args:
        changes: what differs from the run that was copied, by the setting's name; None where there is none.
    """

    name: str
    parameters: int
    steps: int
    changes: Mapping[str, Any] | None


@dataclass(frozen=True)
class Preview:
    """What a submission comes to.

    Args:
        runs: all of them.
        later: those among them that a search proposes when it knows more.
        configurations: without their seeds; ``listed`` names the first of them.
    """

    runs: int
    later: int
    configurations: int
    seeds: int
    least_steps: int
    most_steps: int
    all_steps: int
    smallest: int
    largest: int
    rows: int
    listed: Sequence[Configuration]

    @property
    def unlisted(self) -> int:
        """Configurations that are known and not listed."""
        return self.configurations - len(self.listed)


def preview(spec: Specification, source: Run | None = None) -> Preview:
    """Count what a specification asks for, and list its configurations against the run that was copied."""
    steps = [run.steps for run in spec.runs]
    parameters = [run.parameters for run in spec.runs]
    known = list({run.group: run for run in spec.runs}.values())
    return Preview(
        runs=spec.all_runs,
        later=spec.all_runs - len(steps),
        configurations=spec.all_runs // len(spec.seeds),
        seeds=len(spec.seeds),
        least_steps=min(steps),
        most_steps=max(steps),
        all_steps=sum(steps) * spec.all_runs // len(steps),
        smallest=min(parameters),
        largest=max(parameters),
        rows=spec.shape.train_rows,
        listed=[_configuration(run, spec.axes, source) for run in known[:MAX_LISTED]],
    )


def _configuration(run: Planned, axes: Sequence[str], source: Run | None) -> Configuration:
    changes = None
    if source is not None:
        before, after = source.training, run.training.to_dict()
        changes = {
            name: value for name, value in after.items() if name != "seed" and before.get(name) != value
        }
    return Configuration(network_name(run.training, axes), run.parameters, run.steps, changes)
