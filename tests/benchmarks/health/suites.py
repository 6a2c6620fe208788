"""All suites by name, and the tenth of the runs that the quick benchmark takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.health import born_dead, controls, faults, hard, programs
from tests.benchmarks.health.cases import FOLDER, read
from tests.benchmarks.health.training import Run, checked, runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.health.cases import Case

TENTH = 10


def models() -> list[Case]:
    """Give suite A: models on circles and clouds with published labels."""
    return read(FOLDER / "models.json")


SUITES: dict[str, Callable[[], list[Case]]] = {
    "A": models,
    "quiz": controls.quiz,
    "controls": controls.controls,
    "B": programs.cases,
    "C": faults.cases,
    "D": hard.cases,
    "E": born_dead.cases,
}
TITLES = {
    "A": "models on circles and clouds",
    "quiz": "five sigmoid layers",
    "controls": "the same with ReLU and tanh",
    "B": "real programs, asked about and fixed",
    "C": "one fault put in",
    "D": "hard healthy ones",
    "E": "born dead",
}


def cases_of(names: Sequence[str]) -> list[Case]:
    """Give the cases of some suites; those that cannot be trained say why."""
    return [checked(case) for name in names for case in SUITES[name]()]


def quick_runs(cases: Sequence[Case]) -> list[Run]:
    """Give every tenth run, seeds first, so that as many configurations as possible are among them.

    Those that are compared with others need all of their runs: every tenth configuration, and what it is
    compared with.
    """
    compared = [case for case in cases if case.rule.reference not in {"", case.id}]
    chosen = compared[:: min(TENTH, len(compared) or 1)]
    whole = {case.id for case in chosen} | {case.rule.reference for case in chosen}
    alone = {case.id for case in cases} - {case.id for case in compared} - whole
    alone -= {case.id for case in cases if case.rule.reference}
    rest = sorted((run for run in runs_of(cases) if run.case.id in alone), key=lambda run: run.seed)
    return [run for run in runs_of(cases) if run.case.id in whole] + rest[: -(-len(rest) // TENTH)]
