"""Early stopping and the plateau: what the validation loss decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.engine.patience import Patience, Plateau
from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Evaluation, Records
from tests.engine.builders import build_problem, build_trainer, run

# 16 rows, 256 units: soon learned by heart, after which the validation loss rises.
OVERFITTING: dict[str, Any] = {"hidden_units": (256,), "batch_size": 4, "learning_rate": 0.01, "epochs": 60}


def build_noise() -> Problem:
    problem = build_problem("binary", rows=16)
    rng = np.random.default_rng(3)
    return replace(problem, y_train=rng.integers(2, size=16), y_val=rng.integers(2, size=16))


def losses(records: Records) -> list[float]:
    return [found.metrics["val_loss"] for found in records.evaluations]


def test_patience_counts_epochs_without_a_better_loss() -> None:
    patience = Patience(2)
    losses = (3.0, 2.0, 2.0, float("nan"), 1.0, 1.5)
    found = [(patience.observe(loss), patience.waited, patience.is_over) for loss in losses]
    better = (True, 0, False)
    assert found == [better, better, (False, 1, False), (False, 2, True), better, (False, 1, False)]


def test_the_untrained_networks_loss_costs_no_patience() -> None:
    patience = Patience(1)
    patience.observe(float("nan"))
    assert not patience.is_over


@pytest.mark.usefixtures("tier")
def test_a_run_ends_after_its_patience_and_keeps_its_best_network() -> None:
    problem = build_noise()
    free = run(problem, **OVERFITTING)
    stopped = run(problem, early_stopping_epochs=3, **OVERFITTING)
    best = int(np.argmin(losses(free)[: len(stopped.evaluations)]))
    last = stopped.evaluations[-1]
    assert stopped.ended is Ending.EARLY_STOP
    assert (last.epoch, last.step, last.restored_step) == (best + 3, 4 * (best + 3), 4 * best)
    assert last.metrics == free.evaluations[best].metrics
    assert losses(stopped)[:-1] == losses(free)[: best + 3]
    np.testing.assert_array_equal(stopped.losses, free.losses[: last.step])
    assert [found.step for found in stopped.evaluations] == list(range(0, last.step + 1, 4))


def test_the_network_that_is_kept_is_the_one_that_was_evaluated() -> None:
    problem = build_noise()
    trainer = build_trainer(problem, early_stopping_epochs=2, batch_norm=True, **OVERFITTING)
    kept = {0: (trainer.network.parameters.copy(), trainer.network.running.copy())}
    found = trainer.judge()
    while trainer.ended is None:
        trainer.run_chunk(4)
        kept[trainer.step] = (trainer.network.parameters.copy(), trainer.network.running.copy())
        found = trainer.judge()
    assert isinstance(found, Evaluation)
    assert found.restored_step is not None
    parameters, running = kept[found.restored_step]
    np.testing.assert_array_equal(trainer.network.parameters, parameters)
    np.testing.assert_array_equal(trainer.network.running, running)


@pytest.mark.usefixtures("tier")
def test_patience_counts_evaluations_however_far_apart_they_are() -> None:
    problem = build_noise()
    often: dict[str, Any] = {**OVERFITTING, "validate_every": 3}
    free, stopped = run(problem, **often), run(problem, early_stopping_epochs=5, **often)
    best = int(np.argmin(losses(free)[: len(stopped.evaluations)]))
    last = stopped.evaluations[-1]
    assert stopped.ended is Ending.EARLY_STOP
    assert (last.step, last.restored_step) == (3 * (best + 5), 3 * best)


@pytest.mark.usefixtures("tier")
def test_the_best_network_is_restored_at_the_planned_end_too() -> None:
    problem = build_noise()
    free, patient = run(problem, **OVERFITTING), run(problem, early_stopping_epochs=60, **OVERFITTING)
    assert patient.ended is Ending.END
    assert losses(patient)[-1] == min(losses(free)) < losses(free)[-1]
    assert patient.evaluations[-1].restored_step == 4 * int(np.argmin(losses(free)))


@pytest.mark.usefixtures("tier")
def test_a_run_that_is_best_at_its_end_restores_nothing() -> None:
    records = run(build_problem(rows=200), early_stopping_epochs=5, epochs=3, learning_rate=0.001)
    assert records.ended is Ending.END
    assert records.evaluations[-1].restored_step is None


@pytest.mark.usefixtures("tier")
def test_a_run_that_diverges_is_not_rescued() -> None:
    records = run(build_problem(), optimizer="sgd", learning_rate=1e4, early_stopping_epochs=50, steps=200)
    assert records.ended is Ending.DIVERGED


@pytest.mark.usefixtures("tier")
def test_patience_alone_changes_no_step() -> None:
    plain, patient = run(build_problem(), epochs=4), run(build_problem(), early_stopping_epochs=9, epochs=4)
    assert plain.losses.tobytes() == patient.losses.tobytes()


def test_a_plateau_is_counted_each_time_the_patience_is_over() -> None:
    plateau = Plateau(2)
    found = []
    for loss in (5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0, 3.0):
        plateau.follow(loss)
        found.append(plateau.reductions)
    assert found == [0, 0, 0, 1, 1, 2, 2, 2]


@pytest.mark.usefixtures("tier")
def test_the_learning_rate_of_a_run_falls_on_plateaus_of_its_validation_loss() -> None:
    config: dict[str, Any] = {**OVERFITTING, "schedule": "reduce_on_plateau", "plateau_epochs": 2}
    records = run(build_noise(), decay_rate=0.1, **config)
    plateau = Plateau(2)
    expected = []
    for loss in losses(records)[:-1]:
        plateau.follow(loss)
        expected += [0.01 * 0.1**plateau.reductions] * 4
    assert plateau.reductions > 2
    assert records.learning_rates.tolist() == pytest.approx(expected, rel=1e-13)


@pytest.mark.usefixtures("tier")
def test_plateaus_are_looked_for_at_each_evaluation() -> None:
    config: dict[str, Any] = {**OVERFITTING, "schedule": "reduce_on_plateau", "plateau_epochs": 2}
    records = run(build_noise(), decay_rate=0.1, validate_every=3, **config)
    assert len(records.evaluations) == 81
    falls = np.flatnonzero(np.diff(records.learning_rates)) + 1
    assert len(falls) > 2
    assert (falls % 3 == 0).all()
