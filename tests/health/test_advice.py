"""Advice: what is recommended first, by the check and by what the case shows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.health.advice import RANKED, advise, apply
from nnlab.health.facts import describe_data
from nnlab.health.patches import PATCHES
from nnlab.health.suppression import RANKS
from tests.health.advice_cases import (
    PENALISED_RELU,
    QUIZ,
    build_case,
    build_large_inputs,
    build_large_targets,
    codes,
    of_raw,
)
from tests.health.problems import build_columns, build_problem

SANE = TrainingConfig().to_dict()
SYMPTOMS = ("nonfinite", "exploding", "dead_layer", "divergence", "not_learning", "constant_prediction")


def test_every_check_has_advice_of_patches_that_exist() -> None:
    assert set(RANKED) == set(RANKS)
    assert all(RANKED.values())
    assert {code for ranked in RANKED.values() for code in ranked} <= set(PATCHES)


def test_the_quiz_network_is_told_to_use_relu_first() -> None:
    first = advise("vanishing", build_case(QUIZ))[0]
    assert (first.code, first.title) == ("A1", "Use ReLU with He initialisation instead of sigmoid")
    changed = TrainingConfig.from_dict(apply(QUIZ, first.ops))
    assert (changed.activation, changed.initializer) == ("relu", "auto")


@pytest.mark.parametrize(("units", "unit"), [((16,) * 12, "relu"), ((8,) * 12, "elu"), ((64, 4), "elu")])
@pytest.mark.parametrize("activation", ["sigmoid", "exponential"])
def test_networks_too_narrow_for_relu_are_told_to_use_elu(
    activation: str, units: tuple[int, ...], unit: str
) -> None:
    config = QUIZ | {"hidden_units": list(units), "activation": activation}
    first = advise("vanishing", build_case(config))[0]
    assert apply(config, first.ops)["activation"] == unit
    assert ("start dead" in first.reason) == (unit == "elu")
    normalised = advise("vanishing", build_case(config | {"batch_norm": True}))[0]
    assert apply(config | {"batch_norm": True}, normalised.ops)["activation"] == "relu"


def test_narrow_networks_lose_their_relu_layers_with_the_others() -> None:
    config = TrainingConfig(hidden_units=(5, 5), activation=("relu", "sigmoid")).to_dict()
    first = advise("vanishing", build_case(config))[0]
    assert first.title == "Use ELU with He initialisation instead of sigmoid and ReLU"
    assert "up to 6.2 % start dead" in first.reason
    assert apply(config, first.ops)["activation"] == ["elu", "elu"]


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.05, 1.0])
@pytest.mark.parametrize(
    "flags", [{}, {"is_short": True}, {"loss_has_risen": True, "first_update": 0.1}], ids=str
)
def test_no_advice_on_vanishing_gradients_raises_the_learning_rate_or_adds_layers(
    rate: float, flags: dict[str, Any]
) -> None:
    config = QUIZ | {"learning_rate": rate}
    for check in ("vanishing", "not_learning"):
        case = build_case(config, found=("vanishing", "not_learning"), largest_update=1e-6, **flags)
        for advice in advise(check, case):
            changed = apply(config, advice.ops)
            assert changed["learning_rate"] <= rate
            assert len(changed["hidden_units"]) <= len(config["hidden_units"])


@pytest.mark.parametrize("check", ["nonfinite", "exploding", "dead_layer", "divergence"])
def test_adam_is_advised_where_a_lower_rate_does_not_help(check: str) -> None:
    assert codes(check, TrainingConfig(learning_rate=1.0, optimizer="sgd").to_dict())[:2] == ["A3", "A5"]


@pytest.mark.parametrize("check", ["nonfinite", "exploding", "dead_layer", "divergence"])
def test_a_rate_that_is_too_high_is_lowered_first(check: str) -> None:
    config = TrainingConfig(learning_rate=1.0, optimizer="sgd").to_dict()
    first = advise(check, build_case(config, first_update=0.5))[0]
    assert first.title == "Lower the learning rate from 1 to 0.04"
    assert apply(config, first.ops)["learning_rate"] == 0.04


@pytest.mark.parametrize("check", SYMPTOMS)
def test_inputs_far_out_of_scale_are_scaled_before_the_rate_is_lowered(check: str) -> None:
    found = codes(check, of_raw(), facts=build_large_inputs(), task="binary", first_update=5.0)
    assert found[:2] == ["A9", "A3"]


@pytest.mark.parametrize("check", SYMPTOMS)
def test_a_target_out_of_scale_is_standardised_before_the_rate_is_lowered(check: str) -> None:
    found = codes(check, of_raw(), facts=build_large_targets(), task="regression", first_update=5.0)
    assert found[0] == "A10"


@pytest.mark.parametrize("check", SYMPTOMS)
def test_exponential_layers_are_replaced_first(check: str) -> None:
    assert codes(check, SANE | {"activation": "exponential"})[:2] == ["A1", "A7"]


@pytest.mark.parametrize("initializer", ["zeros", "ones", "constant"])
@pytest.mark.parametrize("check", [*SYMPTOMS, "symmetry"])
def test_constant_weights_are_drawn_anew_before_anything_else(initializer: str, check: str) -> None:
    assert codes(check, SANE | {"initializer": initializer})[0] == "A2"
    assert codes(check, SANE | {"initializer": [initializer, "auto"]})[0] == "A2"


def test_a_large_target_comes_before_large_inputs() -> None:
    y = 1000 * np.random.default_rng(0).standard_normal(150)
    facts = describe_data(build_problem(1000 * build_columns(), y[:, None], task="regression"))
    for check in (*SYMPTOMS, "unscaled_data"):
        assert codes(check, of_raw(), facts=facts, task="regression")[:2] == ["A10", "A9"]


def test_a_single_class_needs_no_weights() -> None:
    for y, is_offered in ((np.arange(150) % 10 == 0, True), (np.zeros(150), False)):
        facts = describe_data(build_problem(y=y.astype(np.int64)))
        assert ("A21" in codes("class_balance", SANE, task="binary", facts=facts)) == is_offered


def test_a_strong_penalty_is_removed_and_strong_dropout_lowered_first() -> None:
    assert codes("not_learning", SANE | {"l2": 1.0})[0] == "A26"
    assert codes("not_learning", SANE | {"l2": 1e-4})[0] != "A26"
    assert codes("not_learning", SANE | {"dropout": 0.8})[0] == "A14"


def test_an_output_that_does_not_fit_is_replaced_first() -> None:
    config = SANE | {"output_activation": "tanh", "loss": "mse"}
    found = ("output_mismatch", "not_learning")
    assert codes("not_learning", config, task="regression", found=found)[0] == "A13"
    assert codes("output_mismatch", config, task="regression")[0] == "A13"


def test_a_symptom_takes_the_advice_of_the_finding_nearest_to_the_root() -> None:
    for check in ("not_learning", "constant_prediction"):
        found = ("vanishing", "forward_collapse", "constant_prediction", "not_learning")
        assert codes(check, QUIZ, found=found)[:2] == codes("vanishing", QUIZ)[:2] == ["A1", "A7"]
        assert codes(check, QUIZ, found=("constant_prediction", "not_learning"))[0] != "A1"


def test_a_layer_born_dead_is_not_told_to_lower_its_learning_rate() -> None:
    config = TrainingConfig(hidden_units=(5,) * 15).to_dict()
    assert codes("dead_layer", config, is_born_dead=True) == ["A11", "A16", "A8", "A15"]
    assert codes("born_dead", config) == ["A11", "A16", "A8", "A15"]


def test_a_run_too_short_to_judge_is_told_to_train_longer() -> None:
    assert codes("not_learning", SANE, is_short=True)[0] == "A17"


def test_a_batch_of_all_rows_is_made_smaller_where_steps_are_few() -> None:
    config = SANE | {"batch_size": 1400}
    advice = advise("not_learning", build_case(config, rows=1400, is_short=True))
    assert advice[0].title == "Use batches of 32 rows instead of 1,400"
    by_steps = config | {"epochs": None, "steps": 100}
    assert "A19" not in codes("not_learning", by_steps, rows=1400, is_short=True)


def test_nobody_is_told_to_raise_the_learning_rate_and_to_lower_it() -> None:
    slow = TrainingConfig(learning_rate=1e-5, optimizer="sgd").to_dict()
    assert "A4" in codes("not_learning", slow, largest_update=1e-5)
    assert "A3" not in codes("not_learning", slow, largest_update=1e-5)
    assert "A4" not in codes("not_learning", slow, largest_update=1e-5, found=("exploding",))
    assert "A4" not in codes("not_learning", slow, largest_update=math.nan)
    for check in RANKED:
        case = {"largest_update": 1e-5, "loss_has_risen": True, "first_update": 0.1}
        assert not {"A3", "A4"} <= set(codes(check, slow, **case))


def test_a_loss_that_rises_by_tiny_steps_is_no_sign_of_a_high_rate() -> None:
    slow = SANE | {"learning_rate": 1e-5}
    tiny = {"largest_update": 1e-5, "first_update": 1e-5, "loss_has_risen": True}
    assert codes("not_learning", slow, **tiny)[0] == "A4"
    assert codes("not_learning", slow, **tiny | {"first_update": 0.1})[0] == "A3"


def test_weights_that_make_signals_ten_times_smaller_or_larger_are_drawn_anew() -> None:
    for units, initializer, first in (
        ((8, 8), "uniform", "A2"),  # 0.03 of a weight's size by He in each layer
        ((2000, 8), ["auto", "uniform", "auto"], "A3"),  # all but He's size, by chance
        ((512, 512, 512), ["auto", "playground", "playground", "auto"], "A2"),
    ):
        config = SANE | {"hidden_units": list(units), "initializer": initializer}
        assert codes("dead_layer", config)[0] == first


def test_sigmoids_are_replaced_before_their_weights_are_drawn_anew() -> None:
    assert codes("vanishing", QUIZ | {"initializer": "uniform"})[0] == "A1"
    assert codes("vanishing", QUIZ | {"initializer": "uniform", "activation": "elu"})[0] == "A2"


def test_narrow_relu_layers_are_replaced_where_units_are_silent_and_not_for_overflow() -> None:
    config = TrainingConfig(hidden_units=(5,) * 8).to_dict()
    for check, first in (("dying_units", "A11"), ("vanishing", "A11"), ("nonfinite", "A3")):
        assert codes(check, config)[0] == first
    assert codes("vanishing", config | {"initializer": "uniform"})[:2] == ["A11", "A2"]
    assert codes("dying_units", TrainingConfig(hidden_units=(16,) * 8).to_dict())[0] == "A3"


@pytest.mark.parametrize(("check", "usual"), [("overfitting", "A14"), ("constant_prediction", "A5")])
def test_classes_of_unequal_size_are_weighed_before_anything_else(check: str, usual: str) -> None:
    for every, first in ((2, usual), (50, "A21")):
        facts = describe_data(build_problem(y=(np.arange(150) % every == 0).astype(np.int64)))
        assert codes(check, SANE, task="binary", facts=facts)[0] == first


def test_inputs_in_scale_are_scaled_last() -> None:
    facts = describe_data(build_problem())
    assert codes("dying_units", of_raw(), task="binary", facts=facts)[-1] == "A9"


def test_inputs_that_are_standardised_already_are_not_scaled_again() -> None:
    x = build_columns()
    x[0, 0] = 1000.0  # an outlier, and still one when it is scaled
    x = (x - x[:120].mean(axis=0)) / x[:120].std(axis=0)
    for factor, is_offered in ((1, False), (100, True)):
        facts = describe_data(build_problem(factor * x))
        config = of_raw() | {"data": {"dataset": "points.csv"}}
        assert ("A9" in codes("nonfinite", config, task="binary", facts=facts)) == is_offered


def test_updates_that_are_too_large_and_too_small_get_different_advice() -> None:
    assert codes("update_ratio", SANE, largest_update=0.2)[0] == "A3"
    assert codes("update_ratio", SANE | {"learning_rate": 1e-5}, largest_update=1e-5)[0] == "A4"


def test_scaling_is_offered_for_raw_data_only() -> None:
    assert "A9" in codes("nonfinite", PENALISED_RELU)
    assert "A9" not in codes("nonfinite", QUIZ)
