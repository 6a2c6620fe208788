"""What a person asks for: a fixed part, a grid or a search, and the seeds; and the runs it expands to.

Web form, admin, API and command line all build a plain mapping and give it to ``parse``: one validation,
the engine's and the data package's own, with one set of messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count, product, repeat
from math import prod
from pathlib import Path
from typing import Any

from nnlab.data.catalogue import Shape, check
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.engine.config import TrainingConfig
from nnlab.search.space import Point
from nnlab.search.stopping import Threshold
from runs.submitted.job import Job, read_job
from runs.submitted.networks import Limits, checked, cost
from runs.submitted.search import read_search
from runs.submitted.search_plans import SearchPlan, goals
from runs.submitted.values import Faults, read_grid, read_label, read_seeds, read_table

_KEYS = ("project", "name", "data", "training", "grid", "search", "seeds", "job")


class SubmissionError(ValueError):
    """A specification that cannot be run.

    Args:
        errors: messages by field: a hyperparameter, ``dataset``, ``seeds``, ``grid``, ``project``, ``name``.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        super().__init__("; ".join(message for messages in self.errors.values() for message in messages))


@dataclass(frozen=True)
class Planned:
    """One run of a specification, ready to be stored.

    Args:
        group: names the configuration without its seed; equal for runs that differ by the seed only.
        trial: number of the point of a search, from 0; None where nothing is searched.
        point: what the search chose.
    """

    training: TrainingConfig
    group: str
    parameters: int
    steps: int
    trial: int | None = None
    point: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Specification:
    """A checked submission.

    Args:
        runs: every run it expands to: for each point of the grid or the search, one a seed. Of a Bayesian
            search those of the opening; ``further`` plans the others.
    """

    project: str
    name: str
    data: DataConfig
    training: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    seeds: tuple[int, ...]
    shape: Shape
    runs: tuple[Planned, ...]
    search: SearchPlan | None = None
    job: Job = field(default_factory=Job)

    @property
    def axes(self) -> tuple[str, ...]:
        """The settings that are varied."""
        space = self.search.space if self.search else None
        return tuple(space.axes if space else self.grid)

    @property
    def goal(self) -> str:
        """The metric that trials are compared by."""
        return (self.search.goal if self.search else "") or goals(self.shape.task)[0]

    @property
    def all_runs(self) -> int:
        """How many runs it comes to, those of trials that are proposed later among them."""
        later = self.search.trials - self.search.opening if self.search else 0
        return len(self.runs) + later * len(self.seeds)

    @cached_property
    def canonical(self) -> dict[str, Any]:
        """The specification as plain values; parsing it again gives the same runs."""
        return {
            "project": self.project,
            "name": self.name,
            "data": self.data.to_dict(),
            "training": dict(self.training),
            "grid": {axis: list(values) for axis, values in self.grid.items()},
            "seeds": list(self.seeds),
            **({"search": self.search.canonical} if self.search else {}),
            **({"job": self.job.changed} if self.job.changed else {}),
        }

    def further(self, number: int, point: Point, limits: Limits) -> list[Planned]:
        """Plan the runs of a trial that is proposed later.

        Raises:
            SubmissionError: for a point that cannot be trained, such as a batch larger than the rows.
        """
        faults = Faults()
        config = checked({**self.training, **point}, self.shape, limits, faults)
        if config is None:
            raise SubmissionError(faults.found)
        return list(_seeded(config, self.seeds, self.data, self.shape, number, point))


def parse(mapping: Mapping[str, Any], *, csv_folder: Path, limits: Limits) -> Specification:
    """Check a submission and expand it.

    Args:
        mapping: ``project`` and ``name``; ``data`` as DataConfig's fields; ``training`` as TrainingConfig's
            fields, with ``depth`` and ``width`` as a shorthand for equal layers; ``grid`` with a list of
            values for some of them; or ``search`` (submitted_search.py); ``seeds`` as a list, or as a number
            n for the seeds 0 .. n-1; ``job`` with what else matters to workers (submitted_job.py).

    Raises:
        SubmissionError: with all that is wrong, by field; nothing was stored.
    """
    if not isinstance(mapping, Mapping):
        raise SubmissionError(
            {"specification": [f"expected a table of settings, got {type(mapping).__name__}"]}
        )
    faults = Faults()
    for key in mapping:
        if key not in _KEYS:
            faults.note(str(key), f"unknown key {key!r}; known are {', '.join(_KEYS)}")
    project, name = (faults.collect(read_label, key, mapping.get(key)) for key in ("project", "name"))
    seeds = faults.collect(read_seeds, mapping.get("seeds", 1))
    grid = faults.collect(read_grid, mapping.get("grid", {}))
    search = read_search(mapping["search"], faults) if "search" in mapping else None
    job = read_job(mapping.get("job", {}), limits.time_limit, limits.memory_limit_mb, faults)
    chosen = faults.collect(read_table, "data", mapping.get("data", {}))
    training = faults.collect(read_table, "training", mapping.get("training", {}))
    data, shape = (None, None) if chosen is None else _data(chosen, csv_folder, faults)
    points = _chosen(grid or {}, search, seeds or (0,), limits, faults)
    edges = _networks(training or {}, search.edges if search else [], shape, limits, faults)
    networks = _networks(training or {}, [] if faults.found and edges else points, shape, limits, faults)
    if search is not None and shape is not None:
        _check_search(search, [config for config, _ in (*networks, *edges)], shape, faults)
    if faults.found or data is None or shape is None or seeds is None:
        raise SubmissionError(faults.found)
    planned = _planned(networks, search, seeds, data, shape)
    return Specification(
        project or "", name or "", data, training or {}, grid or {}, seeds, shape, planned, search, job
    )


def group_of(data: DataConfig, training: TrainingConfig) -> str:
    """Name a configuration without its seed: 12 hex digits of the hash of its canonical JSON."""
    settings = {key: value for key, value in training.to_dict().items() if key != "seed"}
    text = json.dumps({"data": data.to_dict(), "training": settings}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _data(
    settings: dict[str, Any], csv_folder: Path, faults: Faults
) -> tuple[DataConfig | None, Shape | None]:
    """Choose the data; note everything that is wrong with the choice, not only what is found first."""
    wrong = False
    while True:
        try:
            config = DataConfig.from_dict(settings)
            shape = check(config, csv_folder)
        except DataError as error:
            wrong = True
            faults.note(error.field, str(error))
            if error.field not in settings or error.field == "dataset":
                return None, None
            del settings[error.field]  # its default is fine, so the next look finds the next fault
        else:
            return (None, None) if wrong else (config, shape)


def _chosen(
    grid: Mapping[str, Sequence[Any]],
    search: SearchPlan | None,
    seeds: Sequence[int],
    limits: Limits,
    faults: Faults,
) -> list[Point]:
    """Choose the points of a grid, or those that a search begins with."""
    _check_count(grid, search, seeds, limits)
    if search is None or search.space is None:
        return list(_points(grid))
    if grid:
        faults.note("grid", "grid: expected the axes in search.space, got a grid as well; leave one out")
    return search.first_points()


def _networks(
    training: Mapping[str, Any],
    points: Sequence[Point],
    shape: Shape | None,
    limits: Limits,
    faults: Faults,
) -> list[tuple[TrainingConfig, Point]]:
    """Build every point that can be trained, and note what is wrong with the others."""
    found = ((checked({**training, **point}, shape, limits, faults), point) for point in points)
    return [(config, point) for config, point in found if config is not None]


def _planned(
    networks: Sequence[tuple[TrainingConfig, Point]],
    search: SearchPlan | None,
    seeds: Sequence[int],
    data: DataConfig,
    shape: Shape,
) -> tuple[Planned, ...]:
    """Plan every network with every seed; one that two points of a grid describe alike is trained once."""
    chosen = networks if search and search.space else dict(networks).items()
    numbers = count() if search else repeat(None)
    planned = (
        _seeded(config, seeds, data, shape, number, point if search else {})
        for number, (config, point) in zip(numbers, chosen, strict=False)
    )
    return tuple(chain.from_iterable(planned))


def _seeded(
    config: TrainingConfig,
    seeds: Sequence[int],
    data: DataConfig,
    shape: Shape,
    number: int | None,
    point: Point,
) -> Iterator[Planned]:
    """Plan a network once and give it every seed: neither its cost nor its group depends on it."""
    found, group = cost(config, shape), group_of(data, config)
    for seed in seeds:
        yield Planned(replace(config, seed=seed), group, found.parameters, found.steps, number, point)


def _points(grid: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _check_count(
    grid: Mapping[str, Sequence[Any]], search: SearchPlan | None, seeds: Sequence[int], limits: Limits
) -> None:
    """Count before expanding: a sweep of a million runs must cost nothing."""
    trials = search.trials if search else 0
    runs = (trials or prod(len(values) for values in grid.values())) * len(seeds)
    if runs <= limits.runs:
        return
    parts = [f"{trials} trials"] if trials else [f"{len(values)} {axis}" for axis, values in grid.items()]
    factors = " x ".join([*parts, f"{len(seeds)} seeds"])
    field, remedy = ("search.trials", "trials") if trials else ("grid", "values")
    message = f"expected at most {limits.runs:,} runs, got {runs:,} ({factors}); try fewer {remedy}"
    raise SubmissionError({field: [f"{field}: {message}"]})


def _check_search(
    search: SearchPlan, configs: Iterable[TrainingConfig], shape: Shape, faults: Faults
) -> None:
    """Check what a search asks for against the data: its metrics, and that a rung comes before the end."""
    known = goals(shape.task)
    thresholds = [rule for rule in search.rules if isinstance(rule, Threshold)]
    asked = {"search.goal": [search.goal], "search.stop_rules": [rule.metric for rule in thresholds]}
    for key, metrics in asked.items():
        for metric in metrics:
            if metric and metric not in known:
                wanted = f"expected one of {', '.join(known)} on this data"
                faults.note(key, f"{key}: {wanted}, got {metric!r}")
    plans = [cost(config, shape) for config in configs]
    longest = max((found.steps for found in plans), default=0)
    if search.halving and plans and not any(search.halving.has_rung(found) for found in plans):
        wanted = f"expected a first rung before the end of a run, of {longest:,} steps; begin earlier"
        faults.note("search.halving", f"search.halving: {wanted}")
