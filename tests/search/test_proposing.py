"""Proposals: better than chance, reproducible, never twice the same, and sober about failures."""

from __future__ import annotations

import math
from statistics import median

import pytest

from nnlab.search.errors import SearchError
from nnlab.search.proposing import State, Trial, propose
from nnlab.search.sampling import latin_hypercube, random_points
from nnlab.search.space import Choices, Point, Range, Space, key_of

SPACE = Space(
    {
        "learning_rate": Range(1e-5, 1.0, log=True),
        "width": Range(4, 128, whole=True, log=True),
        "activation": Choices(("relu", "tanh")),
        "units": Choices(([8], [8, 8])),
    }
)


def loss(point: Point) -> float:
    """A bowl around 0.01 and 32, shallower for tanh."""
    rate = math.log10(point["learning_rate"]) + 2
    width = math.log2(point["width"]) - 5
    return float(rate**2 + 0.3 * width**2 + 0.2 * (point["activation"] == "tanh"))


def done(points: list[Point]) -> list[Trial]:
    return [Trial(point, State.DONE, loss(point)) for point in points]


def searched(seed: int, number: int, batch: int = 4) -> list[Trial]:
    trials = done(latin_hypercube(SPACE, 10, seed))
    while len(trials) < number:
        trials += done(propose(SPACE, trials, min(batch, number - len(trials)), seed))
    return trials


def test_a_search_finds_lower_values_than_as_many_random_points() -> None:
    ours = [min(trial.value or 0.0 for trial in searched(seed, 34)) for seed in range(7)]
    theirs = [min(loss(point) for point in random_points(SPACE, 34, seed)) for seed in range(7)]
    assert median(ours) < 0.5 * median(theirs)


def test_the_same_trials_and_seed_give_the_same_proposals() -> None:
    trials = [*done(random_points(SPACE, 12, 0)), Trial(random_points(SPACE, 1, 9)[0], State.RUNNING)]
    assert propose(SPACE, trials, 3, 1) == propose(SPACE, trials, 3, 1)
    assert propose(SPACE, trials, 3, 1) != propose(SPACE, trials, 3, 2)


def test_running_trials_keep_others_from_their_place() -> None:
    space = Space({"x": Range(0.0, 1.0)})
    trials = [Trial(point, State.DONE, (point["x"] - 0.5) ** 2) for point in random_points(space, 30, 0)]
    alone = [propose(space, trials, 1, seed)[0]["x"] for seed in range(12)]
    crowd = [Trial({"x": 0.45 + 0.005 * place}, State.RUNNING) for place in range(20)]
    beside = [propose(space, [*trials, *crowd], 1, seed)[0]["x"] for seed in range(12)]
    assert sum(0.44 < x < 0.56 for x in beside) < sum(0.44 < x < 0.56 for x in alone)


def test_a_trial_that_diverged_is_kept_away_from_and_one_that_failed_says_nothing() -> None:
    space = Space({"x": Range(0.0, 1.0)})
    left = [Trial({"x": 0.01 * place}, State.DONE, 0.1 + 0.01 * place) for place in range(8)]
    wild = [Trial({"x": 0.6 + 0.02 * place}, State.DONE, math.inf) for place in range(15)]
    gone = [Trial({"x": 0.6 + 0.02 * place}, State.FAILED) for place in range(15)]
    near = [propose(space, [*left, *wild], 1, seed)[0]["x"] > 0.55 for seed in range(15)]
    blind = [propose(space, [*left, *gone], 1, seed) for seed in range(15)]
    assert sum(near) <= 3
    assert blind == [
        propose(space, [*left, *(Trial(trial.point, State.FAILED) for trial in gone)], 1, seed)
        for seed in range(15)
    ]


def test_trials_that_were_stopped_count_as_worse_than_those_that_went_on() -> None:
    space = Space({"x": Range(0.0, 1.0)})
    good = [Trial({"x": 0.1 + 0.01 * place}, State.DONE, 0.2) for place in range(6)]
    stopped = [Trial({"x": 0.7 + 0.01 * place}, State.STOPPED, 0.9, step=10) for place in range(12)]
    found = [propose(space, [*good, *stopped], 1, seed)[0]["x"] for seed in range(12)]
    assert sum(x > 0.65 for x in found) <= 3


def test_nothing_is_proposed_twice_up_to_the_last_point_of_a_space() -> None:
    space = Space({"depth": Range(1, 3, whole=True), "units": Choices(("a", "b"))})
    trials = [Trial(point, State.DONE, float(point["depth"])) for point in random_points(space, 3, 0)]
    points = propose(space, trials, 3, 0)
    assert len({key_of(point) for point in [*points, *(trial.point for trial in trials)]}) == 6
    with pytest.raises(SearchError, match="at most 0 trials"):
        propose(space, [*trials, *(Trial(point, State.RUNNING) for point in points)], 1, 0)


def test_steps_and_whole_numbers_are_kept() -> None:
    space = Space({"width": Range(8, 60, whole=True, step=8), "rate": Range(0.0, 1.0, step=0.3)})
    trials = [Trial(point, State.DONE, point["rate"]) for point in random_points(space, 8, 0)]
    for point in propose(space, trials, 6, 0):
        assert point["width"] % 8 == 0
        assert round(point["rate"] / 0.3, 9).is_integer()


def test_before_anything_is_known_proposals_are_made_all_the_same() -> None:
    running = [Trial(point, State.RUNNING) for point in random_points(SPACE, 2, 0)]
    assert len(propose(SPACE, running, 2, 0)) == 2
