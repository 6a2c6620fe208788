"""A checked search: how points are chosen, what trials are compared by, and what stops losing runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from nnlab.engine.training import Plan
from nnlab.search.halving import Halving
from nnlab.search.sampling import latin_hypercube, random_points
from nnlab.search.space import Axis, Choices, Point, Space
from nnlab.search.stopping import Threshold

OPENING = 8  # trials of a Bayesian search, at least, before anything is known; or a quarter of all
# What an evaluation tells of each task; the first is what a run is judged by.
_GOALS = {"regression": ("val_rmse", "val_loss", "val_mae", "val_r2")}
_USUAL_GOALS = ("val_accuracy", "val_loss")


class Method(StrEnum):
    """How points are chosen."""

    GRID = "grid"
    RANDOM = "random"
    LATIN_HYPERCUBE = "latin_hypercube"
    BAYESIAN = "bayesian"


@dataclass(frozen=True)
class Rungs:
    """Successive halving as it is asked for: the first rung in epochs or in steps."""

    factor: int
    first: int
    in_epochs: bool

    def in_steps(self, steps_per_epoch: int) -> Halving:
        """Return the rungs of a run in steps."""
        return Halving(self.first * (steps_per_epoch if self.in_epochs else 1), self.factor)

    def has_rung(self, plan: Plan) -> bool:
        """Whether a run meets a rung before its end."""
        return any(self.in_steps(plan.steps_per_epoch).rungs(plan.steps))

    @property
    def canonical(self) -> dict[str, Any]:
        """The plain values."""
        return {"factor": self.factor, "first_epochs" if self.in_epochs else "first_steps": self.first}


@dataclass(frozen=True)
class Median:
    """Median stopping: judged at ``after_step`` and whenever the steps have doubled."""

    after_step: int

    @property
    def marks(self) -> Halving:
        """The steps at which a run is judged."""
        return Halving(self.after_step, 2)


Rule: TypeAlias = Threshold | Median


@dataclass(frozen=True)
class SearchPlan:
    """A checked search.

    Args:
        goal: the metric that trials are compared by; empty for the one that runs are judged by.
        trials: 0 for a grid, whose points are all of them.
        space: None for a grid.
        parallel: trials of a Bayesian search that train at once.
    """

    method: Method = Method.GRID
    goal: str = ""
    trials: int = 0
    seed: int = 0
    space: Space | None = None
    parallel: int = 4
    halving: Rungs | None = None
    rules: tuple[Rule, ...] = ()

    @property
    def opening(self) -> int:
        """How many trials are chosen before anything is known."""
        if self.method is not Method.BAYESIAN:
            return self.trials
        return min(self.trials, max(OPENING, self.trials // 4))

    def first_points(self) -> list[Point]:
        """Choose the points of the opening."""
        assert self.space is not None  # noqa: S101 - for the type checker; a grid is expanded elsewhere
        sample = random_points if self.method is Method.RANDOM else latin_hypercube
        return sample(self.space, self.opening, self.seed)

    @property
    def edges(self) -> list[Point]:
        """Points at which whatever is wrong with the space shows, also of a point that is chosen later."""
        return self.space.edges() if self.space else []

    @property
    def canonical(self) -> dict[str, Any]:
        """The search as plain values; reading it again gives the same."""
        found: dict[str, Any] = {"method": self.method.value}
        if self.space is not None:
            axes = {name: _plain_axis(axis) for name, axis in self.space.axes.items()}
            found |= {"trials": self.trials, "seed": self.seed, "space": axes}
        if self.method is Method.BAYESIAN:
            found["parallel"] = self.parallel
        if self.goal:
            found["goal"] = self.goal
        if self.halving is not None:
            found["halving"] = self.halving.canonical
        if self.rules:
            found["stop_rules"] = [_plain_rule(rule) for rule in self.rules]
        return found


def goals(task: str) -> tuple[str, ...]:
    """Name the metrics that trials of a task can be compared by, first the one that runs are judged by."""
    return _GOALS.get(task, _USUAL_GOALS)


def _plain_axis(axis: Axis) -> Any:
    if isinstance(axis, Choices):
        return list(axis.values)
    found: dict[str, Any] = {"low": axis.low, "high": axis.high}
    found |= {"log": True} if axis.log else {}
    return found if axis.step is None else {**found, "step": axis.step}


def _plain_rule(rule: Rule) -> dict[str, Any]:
    if isinstance(rule, Median):
        return {"median": True, "after_step": rule.after_step}
    bounds = {key: value for key in ("above", "below") if (value := getattr(rule, key)) is not None}
    metric = {"metric": rule.metric} if rule.metric else {}
    return {**metric, **bounds, "after_step": rule.after_step}
