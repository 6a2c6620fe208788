"""Where to look next, given what trials have found: Optuna's tree-structured Parzen estimator.

The trials are handed over anew each time, so that nothing but the caller's own rows has to be kept: the
same trials and seed give the same proposals.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.search.sampling import random_points
from nnlab.search.space import Axis, Choices, Point, Space, key_of

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

_REPEATS = 16  # draws that may fall on points known already, before a random one is taken
_INFORMED = 4  # trials with a value before the estimator is asked; until then proposals are random


class State(StrEnum):
    """What became of a trial. ``stopped`` has a value, of less training than ``done``."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """A point that was tried.

    Args:
        value: smaller is better; None while running, and where it failed. Infinite where the network's
            numbers stopped being finite: worse than all others, which a failure of a machine is not.
        step: how far a stopped one was trained.
    """

    point: Point
    state: State
    value: float | None = None
    step: int = 0


def propose(space: Space, trials: Sequence[Trial], number: int, seed: int) -> list[Point]:
    """Propose points that were not tried yet, those of running trials among them, each given the others.

    Trials that are running are taken to be bad for the moment ("constant liar"), so that several at once
    are not all drawn to one place. Trials that failed say nothing.

    Raises:
        SearchError: for more points than the space has left.

    Source: Bergstra et al., NeurIPS 2011; Watanabe, arXiv 2304.11127 for Optuna's multivariate form.
    """
    study = _study(space, trials, seed)
    distributions = {name: _distribution(axis) for name, axis in space.axes.items()}
    points: list[Point] = []
    taken = [trial.point for trial in trials]
    for _ in range(number):
        point = _unseen(study, space, distributions, {key_of(known) for known in taken})
        points.append(point or random_points(space, 1, seed, taken=taken)[0])
        taken.append(points[-1])
    return points


def _unseen(
    study: optuna.Study, space: Space, distributions: dict[str, BaseDistribution], known: set[str]
) -> Point | None:
    from optuna.trial import TrialState  # noqa: PLC0415 - as in _study

    for _ in range(_REPEATS):
        asked = study.ask(distributions)
        point = {name: _value(axis, asked.params[name]) for name, axis in space.axes.items()}
        if key_of(point) not in known:
            return point
        study.tell(asked, state=TrialState.FAIL)
    return None


def _study(space: Space, trials: Sequence[Trial], seed: int) -> optuna.Study:
    """Rebuild Optuna's study of the trials, in memory."""
    import optuna  # noqa: PLC0415 - a second of import, for who asks for it alone

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    mixed = np.random.SeedSequence([seed & (2**64 - 1), len(trials)]).generate_state(1)
    with warnings.catch_warnings():
        # Both options are of 2021 and marked as experimental still; the version is bound in pyproject.toml.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=int(mixed[0]), multivariate=True, constant_liar=True, n_startup_trials=_INFORMED
        )
    study = optuna.create_study(sampler=sampler)
    study.add_trials([_told(space, trial) for trial in trials])
    return study


def _told(space: Space, trial: Trial) -> optuna.trial.FrozenTrial:
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415 - as in _study

    states = {
        State.RUNNING: TrialState.RUNNING,
        State.DONE: TrialState.COMPLETE,
        State.STOPPED: TrialState.PRUNED,
        State.FAILED: TrialState.FAIL,
    }
    has_value = trial.state in {State.DONE, State.STOPPED}
    is_stopped = trial.state is State.STOPPED
    return create_trial(
        state=states[trial.state],
        value=_comparable(trial.value) if has_value else None,
        params={name: _param(axis, trial.point[name]) for name, axis in space.axes.items()},
        distributions={name: _distribution(axis) for name, axis in space.axes.items()},
        intermediate_values={trial.step: _comparable(trial.value)} if is_stopped else None,
    )


def _comparable(value: float | None) -> float:
    """Give every trial that ended a value that can be compared; what is missing or NaN is the worst."""
    return math.inf if value is None or math.isnan(value) else value


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna import distributions  # noqa: PLC0415 - as in _study

    if isinstance(axis, Choices):
        return distributions.CategoricalDistribution(range(axis.count))  # places: values may be lists
    if axis.step is not None:
        return distributions.IntDistribution(0, (axis.count or 1) - 1)  # places, too
    if axis.whole:
        return distributions.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return distributions.FloatDistribution(axis.low, axis.high, log=axis.log)


def _param(axis: Axis, value: Any) -> Any:
    if isinstance(axis, Choices):
        return [key_of({"": known}) for known in axis.values].index(key_of({"": value}))
    return value if axis.step is None else round((value - axis.low) / axis.step)


def _value(axis: Axis, param: Any) -> Any:
    if isinstance(axis, Choices):
        return axis.values[param]
    return axis.fitting(param if axis.step is None else axis.low + param * axis.step)
