"""Patches: what each changes, when it is offered, and that what it leaves is valid."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnlab.data.config import SWITCHES, DataConfig
from nnlab.engine.config import (
    ACTIVATIONS,
    INITIALIZERS,
    LOSSES,
    OPTIMIZERS,
    OUTPUT_ACTIVATIONS,
    SCHEDULES,
    TrainingConfig,
)
from nnlab.engine.errors import ConfigError
from nnlab.health.advice import Case, Op, advise, apply
from nnlab.health.patches import PATCHES
from nnlab.health.suppression import RANKS
from tests.health.advice_cases import (
    PENALISED_RELU,
    QUIZ,
    build_case,
    build_large_inputs,
    build_large_targets,
    build_spoilt_data,
    codes,
    of_raw,
)

FACTS = {"large": build_large_inputs(), "target": build_large_targets(), "spoilt": build_spoilt_data()}
TASKS = ("regression", "binary", "multiclass")
CHAINS = (*ACTIVATIONS, "tanh>tanh", "relu>tanh", "sigmoid>exponential")


def _one_or_each(values: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=count, max_size=count)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    layers = draw(st.integers(0, 6))
    name, rate = st.sampled_from, st.floats(0, 10)
    bound = st.none() | st.floats(1e-3, 10)
    values = {
        "hidden_units": draw(st.lists(st.integers(1, 5000), min_size=layers, max_size=layers)),
        "activation": draw(_one_or_each(name(CHAINS), layers)),
        "initializer": draw(_one_or_each(name(INITIALIZERS), layers + 1)),
        "bias_initializer": draw(_one_or_each(name(INITIALIZERS), layers + 1)),
        "dropout": draw(_one_or_each(st.floats(0, 0.99), layers)),
        "output_activation": draw(name(OUTPUT_ACTIVATIONS)),
        "loss": draw(name(LOSSES)),
        "optimizer": draw(name(OPTIMIZERS)),
        "schedule": draw(name(SCHEDULES)),
        "warmup_steps": draw(st.integers(0, 3)),
        "learning_rate": draw(st.floats(1e-9, 1e6)),
        "batch_norm": draw(st.booleans()),
        "batch_size": draw(st.integers(1, 3000)),
        draw(name(("epochs", "steps"))): draw(st.integers(1, 10_000_000)),
        "l1": draw(rate),
        "l2": draw(rate),
        "clip_norm": draw(bound),
        "clip_layer_norm": draw(bound),
        "early_stopping_epochs": draw(st.none() | st.integers(1, 9)),
        "validate_every": draw(st.none() | st.integers(1, 9)),
        "seed": draw(st.sampled_from([0, 5, 2**63 - 1])),
    }
    try:
        config = TrainingConfig.from_dict(values).to_dict()
    except ConfigError:
        assume(False)
    data = {"dataset": "points.csv", "recipe": draw(name(("raw", "default", "lab6")))}
    data |= draw(st.dictionaries(name(SWITCHES), st.just(True)))
    return config | draw(st.sampled_from([{}, {"data": data}]))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    config, task = draw(configs()), draw(st.sampled_from(TASKS))
    update = st.sampled_from([float("nan"), 0.0, 1e-300, 1e-5, 1e-2, 1e30, float("inf")])
    return build_case(
        config,
        task=task,
        facts=draw(st.none() | st.sampled_from([*FACTS.values()])) if task != "multiclass" else None,
        found=tuple(draw(st.lists(st.sampled_from(RANKS), max_size=3, unique=True))),
        first_update=draw(update),
        largest_update=draw(update),
        is_short=draw(st.booleans()),
        is_born_dead=draw(st.booleans()),
        loss_has_risen=draw(st.booleans()),
    )


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from(RANKS))
def test_whatever_is_advised_leaves_another_valid_config_and_can_be_undone(case: Case, check: str) -> None:
    for advice in advise(check, case):
        changed = apply(case.config, advice.ops)
        assert changed != case.config
        TrainingConfig.from_dict({name: value for name, value in changed.items() if name != "data"})
        assert ("data" in changed) == ("data" in case.config)
        if "data" in changed:
            DataConfig.from_dict(changed["data"])
        for op in advice.ops:
            assert (op.value, op.old) == (_at(changed, op.path), _at(case.config, op.path))
        with pytest.raises(ValueError, match="the config has changed since"):
            apply(changed, advice.ops)


def _at(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = config.get(name)
    return config


def test_every_patch_changes_one_of_these_configs() -> None:
    offered = [build_case(QUIZ, largest_update=1e-4), build_case(PENALISED_RELU)]
    offered += [build_case(of_raw(), facts=facts, task="binary") for facts in FACTS.values()]
    offered += [build_case(of_raw(), facts=FACTS["target"], task="regression")]
    silent = [code for code, patch in PATCHES.items() if not any(patch(case) for case in offered)]
    assert silent == []


@pytest.mark.parametrize("code", PATCHES)
def test_a_patch_is_not_offered_for_what_it_has_just_made(code: str) -> None:
    repeatable = {"A3", "A4", "A14", "A15", "A16", "A17", "A19"}
    for config in (QUIZ, PENALISED_RELU, of_raw()):
        advice = PATCHES[code](build_case(config))
        if advice is not None and code not in repeatable:
            changed = apply(config, advice.ops)
            assert PATCHES[code](build_case(changed)) is None


@pytest.mark.parametrize(
    ("start", "first_update", "rate"),
    [
        (1.0, float("nan"), 0.1),
        (1.0, 0.1, 0.1),
        (1.0, 0.5, 0.04),
        (1e6, float("nan"), 0.5),
        (1e6, 3e7, 7e-4),
        (1e6, float("inf"), 1e-6),
        (5e-6, float("nan"), 1e-6),
    ],
)
def test_one_step_takes_a_rate_to_where_it_moves_weights_by_a_fiftieth(
    start: float, first_update: float, rate: float
) -> None:
    config = TrainingConfig(learning_rate=start, optimizer="sgd").to_dict()
    advice = PATCHES["A3"](build_case(config, first_update=first_update))
    assert advice is not None
    assert advice.ops[0].value == pytest.approx(rate)
    assert f"to {rate:g}" in advice.title


@pytest.mark.parametrize(("update", "rate"), [(1e-4, 0.005), (1e-5, 0.05), (1e-9, 0.1)])
def test_one_step_takes_a_rate_to_where_it_moves_weights_at_all(update: float, rate: float) -> None:
    case = build_case(TrainingConfig(learning_rate=1e-4, optimizer="sgd").to_dict(), largest_update=update)
    advice = PATCHES["A4"](case)
    assert advice is not None
    assert advice.ops[0].value == pytest.approx(rate)


@pytest.mark.parametrize(
    ("update", "steps", "rate"), [(1e-3, 35, 0.02), (1e-3, 100, 0.01), (1e-3, 900, 0.005), (1e-3, 1000, None)]
)
def test_the_steps_of_a_slow_run_are_made_to_replace_the_weights_in_time(
    update: float, steps: int, rate: float | None
) -> None:
    config = TrainingConfig(learning_rate=1e-3, optimizer="sgd").to_dict()
    advice = PATCHES["A4"](build_case(config, check="slow", largest_update=update, steps=steps))
    assert (None if advice is None else advice.ops[0].value) == rate
    assert PATCHES["A4"](build_case(config, check="plateau", largest_update=update, steps=steps)) is None


def test_lists_keep_the_output_layers_initializer_when_layers_go() -> None:
    kinds = ("he_normal", "zeros", "he_uniform", "auto", "ones")
    config = TrainingConfig(hidden_units=(8, 2, 8, 8), initializer=kinds).to_dict()
    advice = PATCHES["A8"](build_case(config))
    assert advice is not None
    changed = apply(config, advice.ops)
    assert (changed["hidden_units"], changed["initializer"]) == (
        [8, 8, 8],
        ["he_normal", "he_uniform", "auto", "ones"],
    )


def test_a_chain_of_activations_becomes_one_relu() -> None:
    config = TrainingConfig(hidden_units=(8, 8), activation=("tanh>tanh", "elu")).to_dict()
    advice = PATCHES["A1"](build_case(config))
    assert advice is not None
    assert apply(config, advice.ops)["activation"] == ["relu", "elu"]


def test_units_that_can_die_are_replaced_by_others_with_weights_drawn_for_them() -> None:
    config = TrainingConfig(
        hidden_units=(8, 8), activation=("relu6", "tanh"), initializer="uniform"
    ).to_dict()
    advice = PATCHES["A11"](build_case(config))
    assert advice is not None
    changed = apply(config, advice.ops)
    assert (changed["activation"], changed["initializer"]) == (["elu", "tanh"], "auto")


@pytest.mark.parametrize(("width", "unit"), [(8, "relu"), (4, "elu")])
def test_what_bends_linear_layers_cannot_die_where_they_are_narrow(width: int, unit: str) -> None:
    config = TrainingConfig(hidden_units=(width, width), activation="linear").to_dict()
    advice = PATCHES["A25"](build_case(config))
    assert advice is not None
    assert apply(config, advice.ops)["activation"] == unit


def test_batch_normalisation_is_advised_for_batches_of_16_rows_that_have_none() -> None:
    for check in ("nonfinite", "vanishing"):
        assert "A7" in codes(check, QUIZ | {"batch_size": 16})
        assert "A7" not in codes(check, QUIZ | {"batch_size": 15})
        assert "A7" not in codes(check, QUIZ | {"batch_norm": True})


def test_a_constant_rate_is_advised_to_warm_up_over_5_percent_of_the_run() -> None:
    advice = PATCHES["A20"](build_case(QUIZ, steps=880))
    assert advice is not None
    changed = apply(QUIZ, advice.ops)
    assert (changed["schedule"], changed["warmup_steps"]) == ("cosine", 44)
    for scheduled in ({"schedule": "step"}, {"warmup_steps": 3}):
        assert PATCHES["A20"](build_case(QUIZ | scheduled)) is None


def test_dropout_comes_where_it_usually_helps() -> None:
    def dropout(check: str, rate: Any) -> Any:
        config = TrainingConfig(hidden_units=(8, 8), dropout=rate).to_dict()
        advice = next((a for a in advise(check, build_case(config)) if a.code == "A14"), None)
        return None if advice is None else apply(config, advice.ops)["dropout"]

    assert dropout("dropout", 0.8) == 0.3
    assert dropout("dropout", (0.9, 0.4)) == [0.3, 0.4]
    assert dropout("dropout", 0.1) == 0.2
    assert dropout("dropout", 0.4) == 0.0
    assert dropout("overfitting", 0.0) == 0.3
    assert dropout("overfitting", 0.4) is None


def test_a_file_with_a_constant_column_is_standardised_without_a_recipe_that_refuses_it() -> None:
    advice = PATCHES["A9"](build_case(of_raw(), task="binary", facts=FACTS["spoilt"]))
    assert advice is not None
    assert advice.ops == (Op("set", "data.standardise_inputs", True, None),)


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
