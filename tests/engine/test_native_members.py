"""Small networks trained a lane each: to the last bit what they are alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.native.library import load
from nnlab.engine.native_members import can_be_member
from nnlab.engine.native_trainer import NativeTrainer
from nnlab.engine.population import Population
from nnlab.engine.tiers import make_trainer
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem
from tests.engine.test_population import collect
from tests.engine.test_training import assert_same

pytestmark = pytest.mark.skipif(load() is None, reason="the native library is not built")

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("binary", {}),
    "tanh, softmax": ("multiclass", {"activation": "tanh"}),
    "elu, SGD": ("regression", {"activation": "elu", "optimizer": "sgd"}),
    "softplus, Adagrad": ("binary", {"activation": "softplus", "optimizer": "adagrad"}),
    "sigmoid, FTRL with l1": ("multilabel", {"activation": "sigmoid", "optimizer": "ftrl", "l1": 0.01}),
    "leaky ReLU, Huber, Nesterov": (
        "regression",
        {"activation": "leaky_relu", "loss": "huber", "optimizer": "nesterov"},
    ),
    "ReLU6, AdamW, l1 and l2": (
        "binary",
        {"activation": "relu6", "optimizer": "adamw", "l1": 0.001, "l2": 0.01},
    ),
    "linear, MAE, RMSProp": ("regression", {"activation": "linear", "loss": "mae", "optimizer": "rmsprop"}),
    "dropout, momentum": ("binary", {"dropout": 0.3, "optimizer": "momentum"}),
    "as wide as members may be": ("binary", {"hidden_units": (16, 16), "batch_size": 32, "loss": "half_mse"}),
    "validated often": ("binary", {"validate_every": 7}),
    "validated seldom": ("binary", {"validate_every": 34}),
    "no hidden layer": ("multiclass", {"hidden_units": (), "batch_size": 7}),
    "one row, not shuffled": ("binary", {"hidden_units": (3,), "batch_size": 1, "shuffle": False}),
}


@pytest.mark.parametrize(("task", "settings"), CASES.values(), ids=CASES.keys())
def test_a_member_is_bitwise_what_it_is_alone(task: str, settings: dict[str, Any]) -> None:
    problem = build_problem(task, rows=130)
    base = TrainingConfig(
        **{"hidden_units": (7, 5), "batch_size": 12, "steps": 400, "learning_rate": 0.01, **settings}
    )
    configs = [replace(base, seed=seed, learning_rate=0.01 * (1 + seed)) for seed in range(19)]
    configs[5] = replace(configs[5], steps=133)
    configs[6] = replace(configs[6], early_stopping_epochs=1)
    configs[7] = replace(configs[7], learning_rate=1e30)
    configs[8] = replace(configs[8], schedule="cosine")
    trainer = make_trainer(base, problem, "native")
    assert can_be_member(trainer)
    found = collect(Population(configs, problem))
    for index, config in enumerate(configs):
        assert_same(found[index], joined(list(train(config, problem))))


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_units": (17,)},
        {"batch_size": 33},
        {"activation": "prelu"},
        {"batch_norm": True},
        {"clip_norm": 1.0},
        {"max_norm": 1.0},
    ],
)
def test_other_networks_are_trained_one_by_one(settings: dict[str, Any]) -> None:
    config = TrainingConfig(**{"hidden_units": (8,), "batch_size": 10, **settings})
    assert not can_be_member(make_trainer(config, build_problem(), "native"))


def test_members_share_the_examples() -> None:
    problem = build_problem()
    population = Population([TrainingConfig(seed=seed) for seed in range(3)], problem)
    trainers = [member.trainer for member in population._members.values()]
    assert all(isinstance(trainer, NativeTrainer) for trainer in trainers)
    places = {np.asarray(trainer._arrays["x"]).ctypes.data for trainer in trainers}  # type: ignore[attr-defined]
    assert len(places) == 1
