"""What is asked of runs besides their scores: changes that would have helped, and layers that are sick."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.network import Network
from nnlab.engine.problem import Problem
from tests.benchmarks.health import faults, hard, interventions, mechanisms, replay, sickness, training
from tests.benchmarks.health.alarms import Alarm
from tests.benchmarks.health.cases import Case, Rule
from tests.benchmarks.health.outcomes import HEALTHY, MID, SICK, is_improved
from tests.benchmarks.health.training import Run

if TYPE_CHECKING:
    from pathlib import Path

MOONS = {"dataset": "moons", "noise": 0.1}


@pytest.fixture(autouse=True)
def _build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BUILD", tmp_path)


def moons(**changes: Any) -> Case:
    settings = {"hidden_units": [8], "batch_size": 32, "epochs": 3}
    rule = Rule(statistic="late", sick_below=0.0, healthy_from=0.0, by_changes=True)
    return Case(id="moons", suite="D", training=settings | changes, data=MOONS, rule=rule, seeds=5)


def row(case: Case, seed: int, late: float, best: float | None = None, **changes: Any) -> replay.Row:
    found = {"best": late if best is None else best, "late": late}
    told = replay.Row(Run(case, seed), found, 0.5, 100, 10, silent=False, said={}, diverged=False)
    return replace(told, **changes)


def scores(*values: float) -> list[dict[str, float]]:
    return [{"best": value, "late": value} for value in values]


def test_runs_are_better_by_their_best_scores_or_by_their_late_ones() -> None:
    low, high = scores(0.5, 0.51, 0.52, 0.53), scores(0.9, 0.91, 0.92, 0.93)
    late = [{"best": 0.9, "late": one["late"]} for one in low]
    assert is_improved(low, high)
    assert is_improved(late, high)
    assert not is_improved(high, low)
    assert not is_improved(low, [])


def test_scores_near_perfect_leave_no_room_for_a_change() -> None:
    assert interventions.can_gain_nothing(scores(0.96, 0.97))
    assert not interventions.can_gain_nothing(scores(0.94, 0.95))
    assert not interventions.can_gain_nothing([{"best": 0.99, "late": 0.7}])


def test_a_configuration_that_a_single_change_mends_is_not_healthy_though_its_runs_are_above_the_bound() -> (
    None
):
    slow = moons(learning_rate=1e-5, epochs=10)
    rows = [replay.replay(Run(slow, seed), with_peers=False) for seed in range(slow.seeds)]
    told = interventions.tried(rows)
    assert "Adam" in told[0].improved_by
    assert "rate / 10" not in told[0].improved_by
    assert set(replay.outcomes_of(rows).values()) == {HEALTHY}
    assert set(replay.outcomes_of(told).values()) == {MID}


def test_a_configuration_that_no_change_mends_stays_healthy() -> None:
    good = moons(hidden_units=[16, 16], epochs=30)
    rows = [replay.replay(Run(good, seed), with_peers=False) for seed in range(3)]
    assert {one.improved_by for one in interventions.tried(rows)} == {()}


def test_a_fault_that_harms_is_not_tried_further(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def improving(cases: list[Case]) -> dict[str, tuple[str, ...]]:
        asked.extend(case.id for case in cases)
        return {}

    monkeypatch.setattr(interventions, "improving", improving)
    rule = Rule(statistic="late", reference="parent", by_changes=True)
    harmed, harmless = (replace(moons(), id=name, suite="C", rule=rule) for name in ("harmed", "harmless"))
    parent = replace(moons(), id="parent", suite="C", rule=rule)
    levels = {parent.id: (parent, 0.9), harmed.id: (harmed, 0.5), harmless.id: (harmless, 0.89)}
    rows = [row(case, seed, score + seed / 1000) for case, score in levels.values() for seed in range(5)]
    interventions.tried(rows)
    assert asked == ["parent", "harmless"]
    outcomes = replay.outcomes_of(rows)
    assert {outcomes[name, 0] for name in ("parent", "harmless")} == {HEALTHY}
    assert outcomes["harmed", 0] == SICK


def test_every_configuration_of_the_hard_and_the_faulted_is_asked_about_changes() -> None:
    assert all(case.rule.by_changes for case in [*hard.cases(), *faults.cases()])
    assert len(hard.cases()) >= 40


def network(activation: str = "relu") -> tuple[TrainingConfig, Problem, Network]:
    config = TrainingConfig(hidden_units=(4, 4, 4), activation=activation, seed=1)
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    return config, Problem("binary", x, y, x, y, 1), Network(config, 2, 1)


def test_a_layer_without_an_active_row_is_dead_and_one_that_stayed_is_frozen() -> None:
    config, problem, end = network()
    end.layers[0].weight[:] *= 1.5
    end.layers[1].weight[:] *= 1.0005
    end.layers[2].bias[:] = -1e3
    assert mechanisms.measured(config, problem, end) == mechanisms.Mechanism(dead=(2,), frozen=(1, 2))


def test_tanh_layers_do_not_die_and_numbers_that_are_none_tell_nothing() -> None:
    config, problem, end = network("tanh")
    end.layers[0].weight[:] = 0.0
    end.layers[1].weight[:] = np.nan
    end.layers[2].weight[:] *= 2.0
    assert mechanisms.measured(config, problem, end) == mechanisms.Mechanism(dead=(), frozen=())


def test_what_happened_inside_a_run_is_kept_beside_its_records() -> None:
    run = Run(moons(initializer="zeros"), 0)
    training.records_of(run)
    seen = training.mechanism_of(run)
    assert seen.dead == (0,)
    run.path.with_suffix(".layers").unlink()
    assert training.mechanism_of(run) == seen


def sick_of(case: Case, **changes: Any) -> sickness.Sickness:
    told = row(replace(case, rule=Rule(sick_below=0.9, healthy_from=0.95)), 0, 0.5, **changes)
    return sickness.of_sick([told])["moons", 0]


def test_a_sick_run_is_of_the_kind_that_its_weights_tell_or_that_was_put_in() -> None:
    silent = moons(initializer="zeros", epochs=1)
    slow = replace(moons(learning_rate=0.02, epochs=1), accepts=("update_ratio", "plateau"))
    assert sick_of(silent) == sickness.Sickness("dead", (0,))
    assert sick_of(replace(silent, accepts=("symmetry",))) == sickness.Sickness("configuration", (0,))
    assert sick_of(silent, diverged=True) == sickness.Sickness("unstable")
    assert sick_of(slow) == sickness.Sickness("slow")


def test_layers_that_did_not_move_are_vanishing_only_where_relu_repairs() -> None:
    deep = moons(hidden_units=[16] * 4, activation="sigmoid", initializer="uniform", learning_rate=0.1,
                 optimizer="sgd", epochs=20)  # fmt: skip
    assert sick_of(deep) == sickness.Sickness("vanishing", (0, 1, 2))
    crawling = moons(learning_rate=1e-7, epochs=2)
    assert training.mechanism_of(Run(crawling, 0)).frozen
    assert sick_of(crawling).layers == ()


def test_alarms_are_none_of_what_tells_sickness() -> None:
    silent = moons(initializer="zeros", epochs=1)
    loud = sick_of(silent, said={"nnlab": (Alarm("vanishing", 1, layers=(5,)),)})
    assert loud == sick_of(silent)
