"""Populations of the cupy tier: independent members, endings, checkpoints, and what passes to the host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nnlab.engine.checkpoints import Checkpoint
from nnlab.engine.config import TrainingConfig
from nnlab.engine.device import cohort
from nnlab.engine.device.population import DevicePopulation
from nnlab.engine.errors import CheckpointError, ConfigError
from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Records
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem
from tests.engine.device_backends import (
    assert_close,
    assert_same,
    build_population,
    collect,
    on_every_backend,
)
from tests.engine.fake_device import FakeBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE = TrainingConfig(hidden_units=(6, 5), dropout=0.2, batch_size=4, steps=90, learning_rate=0.01)
MIXED = [
    *(BASE, replace(BASE, seed=1), replace(BASE, learning_rate=1e15, seed=2)),
    *(replace(BASE, steps=30, dropout=0.4, l2=0.01), replace(BASE, l1=0.01, seed=3)),
    replace(BASE, early_stopping_epochs=1, steps=900, learning_rate=0.1),
]
DIVERGING: dict[str, dict[str, Any]] = {
    "SGD": {"optimizer": "sgd", "learning_rate": 50.0, "loss": "mse", "activation": "linear"},
    "FTRL": {"optimizer": "ftrl", "learning_rate": 1e20, "loss": "mse"},
    "L1, decoupled decay": {"optimizer": "adamw", "learning_rate": 1e12, "weight_decay": 1e3, "l1": 1.0},
    "batch norm": {"batch_norm": True, "learning_rate": 1e30, "activation": "softplus"},
    "max-norm": {"optimizer": "momentum", "learning_rate": 1e36, "max_norm": 1e30, "loss": "mse"},
}


@pytest.fixture(autouse=True)
def _reference_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_TIER", "numpy")


def run(configs: Sequence[TrainingConfig], problem: Problem, name: str = "numpy") -> dict[int, Records]:
    return collect(build_population(configs, problem, name))


@on_every_backend
def test_members_end_each_in_their_own_way(name: str) -> None:
    problem = build_problem("binary")
    found = run(MIXED, problem, name)
    ended = [Ending.END, Ending.END, Ending.DIVERGED, Ending.END, Ending.END, Ending.EARLY_STOP]
    assert [found[index].ended for index in range(len(MIXED))] == ended
    for index, config in enumerate(MIXED):
        expected = joined(list(train(config, problem)))
        assert_close(found[index], expected)
        assert found[index].nonfinite == expected.nonfinite


@on_every_backend
@pytest.mark.parametrize("settings", DIVERGING.values(), ids=DIVERGING.keys())
def test_divergence_is_told_as_the_reference_tells_it(settings: dict[str, Any], name: str) -> None:
    problem = build_problem("regression")
    configs = [replace(BASE, dropout=0.0, seed=seed, **settings) for seed in range(3)]
    for index, records in run(configs, problem, name).items():
        expected = joined(list(train(configs[index], problem))).nonfinite
        found = records.nonfinite
        assert found is not None
        assert expected is not None
        assert records.ended is Ending.DIVERGED
        assert (found.step, found.quantity, found.layer) == (expected.step, expected.quantity, expected.layer)
        assert records.last_step == found.step


@on_every_backend
def test_a_gradient_that_is_not_finite_is_told_with_its_layer(name: str) -> None:
    problem = build_problem("regression")
    problem.x_train[40, 1] = 1e37  # z stays finite, its product with the error does not
    config = replace(BASE, hidden_units=(), dropout=0.0)
    found, expected = run([config], problem, name)[0], joined(list(train(config, problem)))
    assert expected.nonfinite is not None
    assert expected.nonfinite.quantity == "gradient"
    assert found.nonfinite is not None
    assert replace(found.nonfinite, last_finite_loss=0.0) == replace(expected.nonfinite, last_finite_loss=0.0)
    assert_close(found, expected)


@on_every_backend
def test_evaluations_come_every_so_many_steps_where_that_is_wanted(name: str) -> None:
    problem, config = build_problem("binary"), replace(BASE, validate_every=7)
    found, expected = run([config], problem, name)[0], joined(list(train(config, problem)))
    assert [seen.step for seen in found.evaluations] == [seen.step for seen in expected.evaluations]
    assert found.evaluations[1].step == 7
    assert_close(found, expected)


def test_other_members_change_nothing_of_a_member() -> None:
    problem = build_problem("binary")
    together = run(MIXED, problem)
    for index, config in enumerate(MIXED):
        alone = run([config], problem)[0]
        assert_same(together[index], alone)


def test_a_dropped_member_changes_nothing_of_the_others() -> None:
    problem = build_problem("binary")
    population = build_population(MIXED, problem)
    seen = [next(population) for _ in range(8)]
    population.drop(0)
    population.drop(4)
    found = collect([*seen, *population])
    alone = run(MIXED, problem)
    for index in (1, 2, 3, 5):
        assert_same(found[index], alone[index])
    assert found[0].ended is None


def test_a_closed_population_yields_nothing_more() -> None:
    population = build_population(MIXED[:2], build_problem("binary"))
    next(population)
    population.close()
    assert list(population) == []


@pytest.mark.parametrize("turns", [6, 18, 36])
def test_members_resume_to_the_last_bit(turns: int) -> None:
    problem, configs = build_problem("binary"), [replace(BASE, schedule="cosine", batch_norm=True)] * 2
    configs += [
        replace(configs[0], early_stopping_epochs=9, seed=3),
        replace(configs[0], l1=0.01, optimizer="adam"),
    ]
    population = build_population(configs, problem)
    seen = [next(population) for _ in range(turns // 4 * 4)]
    kept = [population.checkpoint(index) for index in range(4)]
    resumed = collect([*seen, *build_population(configs, problem, resume=kept)])
    whole = run(configs, problem)
    for index in range(4):
        assert_same(resumed[index], whole[index])


def test_members_resume_from_different_steps() -> None:
    problem, configs = build_problem("binary"), [BASE, replace(BASE, seed=1), replace(BASE, seed=2)]
    population = build_population(configs, problem)
    told = [next(population) for _ in range(7)]
    first = population.checkpoint(0)
    told_first = [found for found in told if found[0] == 0]
    told += [next(population) for _ in range(5)]
    second = population.checkpoint(1)
    seen = [*told_first, *(found for found in told if found[0] == 1)]
    resumed = collect([*seen, *build_population(configs, problem, resume=[first, second, None])])
    whole = run(configs, problem)
    for index in range(3):
        assert_same(resumed[index], whole[index])


def test_a_run_that_had_ended_only_says_how() -> None:
    problem, config = build_problem("binary"), replace(BASE, steps=3)
    population = build_population([config], problem)
    told = [next(population)]
    while told[-1][1].ended is None:
        told.append(next(population))
    (_, records), *rest = build_population([config], problem, resume=[population.checkpoint(0)])
    assert (len(records.losses), records.ended, rest) == (0, Ending.END, [])


def test_checkpoints_go_on_in_the_other_tier() -> None:
    problem, config = build_problem("binary"), replace(BASE, l1=0.001, early_stopping_epochs=50)
    population, training = build_population([config], problem), train(config, problem)
    whole = joined(list(train(config, problem)))
    ours = [next(population)[1] for _ in range(5)]
    theirs = [next(training) for _ in range(2)]
    here = [records for _, records in build_population([config], problem, resume=[training.checkpoint()])]
    there = list(train(config, problem, population.checkpoint(0)))
    assert_close(joined([*theirs, *here]), whole)
    assert_close(joined([*ours, *there]), whole)


def test_a_checkpoint_of_another_run_is_refused() -> None:
    problem = build_problem("binary")
    population = build_population([BASE], problem)
    next(population)
    kept = population.checkpoint(0)
    with pytest.raises(CheckpointError, match="seed 0 instead of 5"):
        build_population([replace(BASE, seed=5)], problem, resume=[kept])
    with pytest.raises(CheckpointError, match="on others"):
        build_population([BASE], build_problem("binary", seed=1), resume=[kept])
    opened = Checkpoint.from_bytes(kept)
    cut = replace(opened, arrays=opened.arrays | {"parameters": opened.arrays["parameters"][1:]})
    with pytest.raises(CheckpointError, match="others for parameters"):
        build_population([BASE], problem, resume=[cut.to_bytes()])


def test_a_member_is_kept_right_after_its_records_only() -> None:
    population = build_population(MIXED, build_problem("binary"))
    next(population)
    assert population.checkpoint(0)
    with pytest.raises(CheckpointError, match="records are all told, got member 1"):
        population.checkpoint(1)
    population.drop(1)
    with pytest.raises(KeyError):
        population.checkpoint(1)
    while next(population)[1].ended is not Ending.DIVERGED:
        pass
    with pytest.raises(CheckpointError, match="diverged"):
        population.checkpoint(2)


def test_members_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="got 2 of 2"):
        build_population([BASE, replace(BASE, hidden_units=(7,))], build_problem("binary"))
    with pytest.raises(ConfigError, match="at most the 64 training rows"):
        build_population([replace(BASE, batch_size=65)], build_problem("binary"))


def test_a_chunk_is_copied_to_the_host_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "CHUNK_SECONDS", 60.0)
    backend = FakeBackend()
    configs = [replace(BASE, batch_norm=True, seed=seed, steps=500) for seed in range(3)]
    population = DevicePopulation(configs, build_problem("binary"), backend=backend)
    uploads = backend.uploads
    rounds, most = 0, 0
    for index, records in population:
        rounds += index == 0
        most = max(most, len(records.losses))
    assert most == 16  # a whole epoch, with samples and an evaluation
    assert backend.downloads == rounds
    epochs = 500 / 16
    keys_of_two_layers_and_rates = 5
    assert backend.uploads - uploads <= keys_of_two_layers_and_rates * rounds + 2 * (epochs + 1)


def test_a_restored_network_costs_one_more_copy() -> None:
    backend = FakeBackend()
    configs = [replace(BASE, early_stopping_epochs=1, learning_rate=0.5)]
    rounds = list(DevicePopulation(configs, build_problem("binary"), backend=backend))
    assert rounds[-1][1].evaluations[0].restored_step is not None
    assert backend.downloads == len(rounds) + 1
