"""The config: what it takes, what it refuses and how it says so."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.engine.activations import ACTIVATION
from nnlab.engine.config import ACTIVATIONS, TrainingConfig
from nnlab.engine.errors import ConfigError
from nnlab.engine.presets import COURSE_REGRESSOR, course_regressor, nsteps
from nnlab.engine.sizes import check_size, parameter_count

NAN, INF = float("nan"), float("inf")

BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown activation": ({"activation": "rellu"}, "activation", "did you mean relu"),
    "activation that is no name": ({"activation": 3}, "activation", "got 3"),
    "unknown name in a chain": ({"activation": "tanh>relo"}, "activation", "did you mean relu"),
    "chain without an end": ({"activation": "tanh>"}, "activation", "got ''"),
    "learned slopes in a chain": ({"activation": "prelu>tanh"}, "activation", "expected prelu alone"),
    "chain of nine": ({"activation": ">".join(["tanh"] * 9)}, "activation", "at most 8 names"),
    "unknown initializer of a layer": ({"initializer": ["ones", "onse"]}, "initializer", "did you mean ones"),
    "initializer for the hidden layer only": (
        {"initializer": ["ones"]},
        "initializer",
        "or 2 for all layers, the output's last, got 1",
    ),
    "bias initializer that is none": ({"bias_initializer": 0.1}, "bias_initializer", "got 0.1"),
    "three bias initializers for two layers": (
        {"bias_initializer": ["ones"] * 3},
        "bias_initializer",
        "got 3",
    ),
    "two activations for one layer": (
        {"activation": ["relu", "tanh"]},
        "activation",
        "or 1 for the hidden layers",
    ),
    "width 0": ({"hidden_units": [0]}, "hidden_units", "from 1 to 65,536, got 0"),
    "width 10,000,000": ({"hidden_units": [10_000_000]}, "hidden_units", "got 10,000,000"),
    "width true": ({"hidden_units": [True]}, "hidden_units", "got True"),
    "width 3.5": ({"hidden_units": [3.5]}, "hidden_units", "got 3.5"),
    "width without a list": ({"hidden_units": 64}, "hidden_units", "write [64]"),
    "65 layers": ({"hidden_units": [4] * 65}, "hidden_units", "at most 64 hidden layers, got 65"),
    "learning rate NaN": ({"learning_rate": NAN}, "learning_rate", "got nan"),
    "learning rate inf": ({"learning_rate": INF}, "learning_rate", "got inf"),
    "learning rate 0": ({"learning_rate": 0.0}, "learning_rate", "above 0, got 0.0"),
    "learning rate negative": ({"learning_rate": -0.1}, "learning_rate", "got -0.1"),
    "learning rate text": ({"learning_rate": "0.1"}, "learning_rate", "got '0.1'"),
    "learning rate true": ({"learning_rate": True}, "learning_rate", "got True"),
    "learning rate beyond floats": ({"learning_rate": 10**400}, "learning_rate", "must be finite"),
    "dropout 1": ({"dropout": 1}, "dropout", "below 1, got 1"),
    "dropout -0.1": ({"dropout": -0.1}, "dropout", "got -0.1"),
    "dropout NaN": ({"dropout": [NAN]}, "dropout", "got nan"),
    "dropout for two of one layer": ({"dropout": [0.1, 0.1]}, "dropout", "got 2"),
    "momentum 1": ({"momentum": 1.0}, "momentum", "below 1"),
    "weight_decay -0.1": ({"weight_decay": -0.1}, "weight_decay", "of at least 0, got -0.1"),
    "weight_decay text": ({"weight_decay": "a"}, "weight_decay", "got 'a'"),
    "l1 negative": ({"l1": -1.0}, "l1", "of at least 0"),
    "l2 NaN": ({"l2": NAN}, "l2", "got nan"),
    "clip_norm 0": ({"clip_norm": 0.0}, "clip_norm", "above 0"),
    "clip_layer_norm 0": ({"clip_layer_norm": 0}, "clip_layer_norm", "above 0, got 0"),
    "max_norm negative": ({"max_norm": -1.0}, "max_norm", "above 0, got -1.0"),
    "clip_value inf": ({"clip_value": INF}, "clip_value", "finite"),
    "unknown schedule": ({"schedule": "cosin"}, "schedule", "did you mean cosine"),
    "warm-up -1": ({"warmup_steps": -1}, "warmup_steps", "from 0 to 1,000,000,000, got -1"),
    "warm-up 1.5": ({"warmup_steps": 1.5}, "warmup_steps", "whole number, got 1.5"),
    "decay rate 0": ({"decay_rate": 0.0}, "decay_rate", "above 0 and below 1, got 0.0"),
    "decay rate 1": ({"decay_rate": 1}, "decay_rate", "below 1, got 1"),
    "decay every 0": ({"decay_every": 0}, "decay_every", "got 0"),
    "validate_every 0": ({"validate_every": 0}, "validate_every", "from 1 to 1,000,000,000, got 0"),
    "validate_every 1.5": ({"validate_every": 1.5}, "validate_every", "whole number, got 1.5"),
    "batch_norm 1": ({"batch_norm": 1}, "batch_norm", "true or false, got 1"),
    "batch_norm of one row": (
        {"batch_norm": True, "batch_size": 1},
        "batch_size",
        "at least 2 with batch_norm",
    ),
    "class_weights None": ({"class_weights": None}, "class_weights", "true or false, got None"),
    "plateau 0": ({"plateau_epochs": 0}, "plateau_epochs", "from 1 to 10,000,000, got 0"),
    "patience 0": ({"early_stopping_epochs": 0}, "early_stopping_epochs", "from 1 to 10,000,000, got 0"),
    "patience True": ({"early_stopping_epochs": True}, "early_stopping_epochs", "got True"),
    "batch size 0": ({"batch_size": 0}, "batch_size", "got 0"),
    "batch size true": ({"batch_size": True}, "batch_size", "got True"),
    "epochs and steps": ({"epochs": 2, "steps": 5}, "steps", "got 2 epochs and 5 steps"),
    "epochs 0": ({"epochs": 0}, "epochs", "got 0"),
    "steps 1.5": ({"steps": 1.5}, "steps", "got 1.5"),
    "shuffle 1": ({"shuffle": 1}, "shuffle", "true or false, got 1"),
    "seed -1": ({"seed": -1}, "seed", "got -1"),
    "seed true": ({"seed": True}, "seed", "got True"),
    "unknown optimizer": ({"optimizer": "adamm"}, "optimizer", "did you mean adam"),
    "unknown initializer": ({"initializer": "he_norm"}, "initializer", "did you mean he_normal"),
    "unknown dtype": ({"dtype": "float16"}, "dtype", "float32, float64"),
    "cross-entropy on tanh": (
        {"loss": "binary_cross_entropy", "output_activation": "tanh"},
        "output_activation",
        "got 'tanh'",
    ),
    "unknown key": ({"learning_rat": 0.1}, "learning_rat", "did you mean learning_rate"),
    "unknown key unlike any": ({"zzz": 0.1}, "zzz", "known are hidden_units"),
}


@pytest.mark.parametrize(("values", "field", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_value_is_refused_with_its_field(values: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig.from_dict(values)
    assert caught.value.field == field
    assert message in str(caught.value)


def test_neither_epochs_nor_steps_means_20_epochs() -> None:
    assert (TrainingConfig().epochs, TrainingConfig().steps) == (20, None)
    assert (TrainingConfig(steps=7).epochs, TrainingConfig(steps=7).steps) == (None, 7)


def test_a_config_survives_json() -> None:
    config = TrainingConfig(
        hidden_units=(8, 4),
        activation=("relu", "tanh>tanh"),
        initializer=("ones", "auto", "zeros"),
        bias_initializer=("auto", "lecun_normal", "glorot_normal"),
        dropout=(0.1, 0.0),
        learning_rate=1,
        clip_norm=1,
        steps=3,
    )
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_config_without_bias_initializers_is_written_as_before_they_were_there() -> None:
    assert "bias_initializer" not in TrainingConfig(bias_initializer="auto").to_dict()
    assert TrainingConfig(bias_initializer="zeros").to_dict()["bias_initializer"] == "zeros"
    assert TrainingConfig().initializers == ("auto", "auto")


def test_numpy_numbers_become_plain_ones() -> None:
    config = TrainingConfig(learning_rate=np.float64(0.5), hidden_units=[3])  # type: ignore[arg-type]
    assert type(config.learning_rate) is float
    assert config.hidden_units == (3,)


def test_equal_configs_are_equal_whatever_their_spelling() -> None:
    assert TrainingConfig(hidden_units=[8], dropout=0) == TrainingConfig(hidden_units=(8,), dropout=0.0)  # type: ignore[arg-type]


@given(
    value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.floats())),
    field=st.sampled_from(list(TrainingConfig().to_dict())),
)
@settings(deadline=None)
def test_any_value_is_either_taken_or_refused_with_its_field(value: Any, field: str) -> None:
    try:
        config = TrainingConfig.from_dict({field: value})
    except ConfigError as error:
        culprit = error.field
    else:
        assert TrainingConfig.from_dict(config.to_dict()) == config
        return
    assert culprit in {field, "output_activation", "dropout", "activation"}


@pytest.mark.parametrize(
    ("hidden_units", "inputs", "outputs", "expected"),
    [
        ((128, 64, 32, 16, 8), 64, 10, 19_410),
        ((100, 50, 20), 22, 1, 8_391),
        ((4, 2), 2, 1, 25),
        ((), 5, 1, 6),
    ],
)
def test_parameters_are_counted_as_the_course_does(
    hidden_units: tuple[int, ...], inputs: int, outputs: int, expected: int
) -> None:
    assert parameter_count(TrainingConfig(hidden_units=hidden_units), inputs, outputs) == expected


def test_prelu_adds_a_slope_for_each_unit() -> None:
    config = TrainingConfig(hidden_units=(4, 2), activation=("prelu", "relu"))
    assert parameter_count(config, 2, 1) == 25 + 4


def test_batch_norm_adds_two_parameters_for_each_hidden_unit() -> None:
    config = TrainingConfig(hidden_units=(4, 2), batch_norm=True)
    assert parameter_count(config, 2, 1) == 25 + 2 * (4 + 2)


def test_a_network_too_large_is_refused_on_its_width() -> None:
    with pytest.raises(ConfigError, match=r"at most 50,000,000 parameters") as caught:
        check_size(TrainingConfig(hidden_units=(65_536, 65_536)), 10, 1)
    assert caught.value.field == "hidden_units"


def test_a_batch_too_large_for_the_width_is_refused_on_the_batch() -> None:
    with pytest.raises(ConfigError, match="use a smaller batch") as caught:
        check_size(TrainingConfig(hidden_units=(65_536,), batch_size=100_000), 10, 1)
    assert caught.value.field == "batch_size"


def test_every_activation_that_the_config_knows_exists() -> None:
    assert tuple(ACTIVATION) == ACTIVATIONS


def test_the_course_preset_takes_100_epochs_worth_of_steps() -> None:
    assert (nsteps(13_600, 100), nsteps(1_437, 32)) == (13_600, 4_490)
    config = course_regressor(13_600, seed=3)
    assert (config.steps, config.epochs, config.seed) == (13_600, None, 3)
    assert (config.hidden_units, config.dropout, config.learning_rate) == ((100, 50, 20), 0.1, 0.01)
    assert COURSE_REGRESSOR.epochs == 100
