"""Populations: each member is what it would be alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.population import Population, shape_key
from nnlab.engine.records import Ending, Records
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem
from tests.engine.test_training import assert_same

BASE = TrainingConfig(hidden_units=(6, 5), dropout=0.2, batch_size=16, steps=90, learning_rate=0.01)
MEMBERS = [
    BASE,
    replace(BASE, seed=1),
    replace(BASE, learning_rate=1e15, seed=2),
    replace(BASE, steps=30, dropout=0.4, l2=0.01),
    replace(BASE, early_stopping_epochs=1, steps=900, learning_rate=0.2),
]


@pytest.mark.usefixtures("tier")
def test_every_member_is_bitwise_what_it_is_alone() -> None:
    problem = build_problem("binary")
    found = collect(Population(MEMBERS, problem))
    for index, config in enumerate(MEMBERS):
        assert_same(found[index], joined(list(train(config, problem))))
    assert found[2].ended is Ending.DIVERGED
    assert found[4].ended is Ending.EARLY_STOP


@pytest.mark.usefixtures("tier")
def test_a_dropped_member_ends_and_the_others_go_on() -> None:
    problem = build_problem("binary")
    population = Population(MEMBERS[:2], problem)
    assert next(population)[0] == 0
    population.drop(0)
    found = collect(population)
    assert list(found) == [1]
    assert_same(found[1], joined(list(train(MEMBERS[1], problem))))


@pytest.mark.usefixtures("tier")
def test_members_resume_from_their_own_checkpoints() -> None:
    problem = build_problem("binary")
    population = Population(MEMBERS[:2], problem)
    seen = {index: [records] for index, records in (next(population), next(population))}
    kept = [population.checkpoint(index) for index in (0, 1)]
    population.close()
    for index, records in Population(MEMBERS[:2], problem, kept):
        seen[index].append(records)
    for index in (0, 1):
        assert_same(joined(seen[index]), joined(list(train(MEMBERS[index], problem))))


@pytest.mark.usefixtures("tier")
def test_a_closed_population_yields_nothing_more() -> None:
    population = Population(MEMBERS[:2], build_problem("binary"))
    population.close()
    assert list(population) == []


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 7},
        {"learning_rate": 0.5},
        {"steps": 7},
        {"dropout": 0.3},
        {"l2": 0.1},
        {"schedule": "cosine"},
    ],
)
def test_members_may_differ_in_numbers(change: dict[str, object]) -> None:
    assert shape_key(replace(BASE, **change)) == shape_key(BASE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_units": (6, 4)},
        {"activation": "tanh"},
        {"dropout": 0.0},
        {"batch_size": 8},
        {"optimizer": "sgd"},
        {"validate_every": 7},
        {"dtype": "float64"},
    ],
)
def test_members_do_not_differ_in_what_is_computed(change: dict[str, object]) -> None:
    assert shape_key(replace(BASE, **change)) != shape_key(BASE)  # type: ignore[arg-type]


def collect(population: Population) -> dict[int, Records]:
    parts: dict[int, list[Records]] = {}
    for index, records in population:
        parts.setdefault(index, []).append(records)
    return {index: joined(found) for index, found in parts.items()}


def test_members_of_several_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected configs of one shape key, got 2"):
        Population([BASE, replace(BASE, hidden_units=(6, 4))], build_problem("binary"))
