"""Advice: every patch applies to a config, changes it, and leaves a valid one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.health.advice import RANKED, Case, Op, advise, apply
from nnlab.health.patches import PATCHES

QUIZ: dict[str, Any] = TrainingConfig(
    hidden_units=(128, 64, 32, 16, 8),
    activation="sigmoid",
    initializer="glorot_normal",
    optimizer="sgd",
    learning_rate=0.05,
).to_dict()
PENALISED_RELU: dict[str, Any] = TrainingConfig(
    hidden_units=(64,) * 5,
    activation=("relu", "relu6", "relu", "tanh", "elu"),
    dropout=(0.1, 0.2, 0.3, 0.4, 0.5),
    initializer="zeros",
    l1=1e-3,
    learning_rate=1e-4,
    steps=500,
).to_dict() | {"data": {"dataset": "wine", "recipe": "raw"}}


def build_case(config: dict[str, Any], **changes: Any) -> Case:
    values: dict[str, Any] = {
        "steps": 1000,
        "largest_update": 1e-4,
        "is_short": False,
        "is_unstable": False,
        "is_born_dead": False,
        "steps_are_too_large": False,
    }
    return Case(config=config, **values | changes)


def codes(check: str, config: dict[str, Any], **changes: Any) -> list[str]:
    return [advice.code for advice in advise(check, build_case(config, **changes))]


def test_every_patch_changes_one_of_these_configs() -> None:
    cases = [build_case(QUIZ), build_case(PENALISED_RELU)]
    silent = [code for code, patch in PATCHES.items() if not any(patch(case) for case in cases)]
    assert silent == []


@pytest.mark.parametrize("config", [QUIZ, PENALISED_RELU], ids=["quiz", "penalised"])
@pytest.mark.parametrize("code", PATCHES)
def test_a_patch_leaves_another_valid_config_or_is_not_offered(code: str, config: dict[str, Any]) -> None:
    advice = PATCHES[code](build_case(config))
    if advice is None:
        return
    changed = apply(config, advice.ops)
    assert changed != config
    TrainingConfig.from_dict({name: value for name, value in changed.items() if name != "data"})
    assert apply(changed, [Op(op.op, op.path, op.old, op.value) for op in advice.ops]) == config


@pytest.mark.parametrize("code", PATCHES)
def test_a_patch_is_not_offered_for_what_it_has_just_made(code: str) -> None:
    repeatable = {"A3", "A4", "A15", "A17"}
    for config in (QUIZ, PENALISED_RELU):
        advice = PATCHES[code](build_case(config))
        if advice is not None and code not in repeatable:
            assert PATCHES[code](build_case(apply(config, advice.ops))) is None


def test_the_quiz_network_is_told_to_use_relu_first() -> None:
    first = advise("vanishing", build_case(QUIZ))[0]
    assert (first.code, first.title) == ("A1", "Use ReLU with He initialisation instead of sigmoid")
    changed = TrainingConfig.from_dict(apply(QUIZ, first.ops))
    assert (changed.activation, changed.initializer) == ("relu", "he_normal")


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.05, 1.0])
@pytest.mark.parametrize("flags", [{}, {"is_short": True}, {"steps_are_too_large": True}], ids=str)
def test_no_advice_on_vanishing_gradients_raises_the_learning_rate_or_adds_layers(
    rate: float, flags: dict[str, bool]
) -> None:
    config = QUIZ | {"learning_rate": rate}
    for advice in advise("vanishing", build_case(config, **flags)):
        changed = apply(config, advice.ops)
        assert changed["learning_rate"] <= rate
        assert len(changed["hidden_units"]) <= len(config["hidden_units"])


def test_a_layer_killed_by_its_learning_rate_gets_a_lower_one_first() -> None:
    config = TrainingConfig(learning_rate=1.0, optimizer="sgd").to_dict()
    first = advise("dead_layer", build_case(config))[0]
    assert first.title == "Lower the learning rate from 1 to 0.1"
    assert apply(config, first.ops)["learning_rate"] == 0.1


def test_a_layer_born_dead_is_not_told_to_lower_its_learning_rate() -> None:
    config = TrainingConfig(hidden_units=(5,) * 15).to_dict()
    assert codes("dead_layer", config, is_born_dead=True) == ["A11", "A8", "A15"]


def test_batch_normalisation_is_advised_for_batches_of_16_rows_that_have_none() -> None:
    for check in ("nonfinite", "exploding", "vanishing"):
        assert "A7" in codes(check, QUIZ | {"batch_size": 16})
        assert "A7" not in codes(check, QUIZ | {"batch_size": 15})
        assert "A7" not in codes(check, QUIZ | {"batch_norm": True})
        assert "A7" not in codes(check, QUIZ | {"hidden_units": []})


def test_a_constant_rate_is_advised_to_warm_up_over_5_percent_of_the_run() -> None:
    advice = next(found for found in advise("dead_layer", build_case(QUIZ, steps=880)) if found.code == "A20")
    changed = apply(QUIZ, advice.ops)
    assert (changed["schedule"], changed["warmup_steps"]) == ("cosine", 44)
    for scheduled in ({"schedule": "step"}, {"warmup_steps": 3}):
        assert "A20" not in codes("dead_layer", QUIZ | scheduled)


def test_nobody_is_told_to_raise_the_learning_rate_and_to_lower_it() -> None:
    slow = TrainingConfig(learning_rate=1e-5, optimizer="sgd").to_dict()
    assert "A4" in codes("not_learning", slow)
    assert "A4" not in codes("not_learning", slow, is_unstable=True)
    assert "A4" not in codes("not_learning", slow, largest_update=math.nan)
    for check in RANKED:
        assert not {"A3", "A4"} <= set(codes(check, slow, steps_are_too_large=True))


@pytest.mark.parametrize("initializer", ["zeros", "ones", "constant"])
def test_constant_weights_are_drawn_anew_before_anything_else(initializer: str) -> None:
    config = TrainingConfig(initializer=initializer).to_dict()
    assert codes("dead_layer", config)[0] == "A2"


def test_scaling_is_offered_for_raw_data_only() -> None:
    assert "A9" in codes("nonfinite", PENALISED_RELU)
    assert "A9" not in codes("nonfinite", QUIZ)


def test_a_patch_for_a_config_that_has_changed_since_is_refused() -> None:
    ops = advise("nonfinite", build_case(QUIZ))[0].ops
    with pytest.raises(ValueError, match=r"expected learning_rate to be 0\.05, got 0\.5"):
        apply(QUIZ | {"learning_rate": 0.5}, ops)


def test_an_unknown_op_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the op set, got 'drop'"):
        apply(QUIZ, [Op("drop", "seed", None, 0)])


def test_applying_leaves_the_old_config_alone() -> None:
    before = PENALISED_RELU["data"].copy()
    apply(PENALISED_RELU, [Op("set", "data.recipe", "default", "raw")])
    assert PENALISED_RELU["data"] == before
