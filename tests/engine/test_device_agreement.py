"""The cupy tier against the reference: the same losses, norms, samples and evaluations, to rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import NATIVE_ACTIVATIONS, OPTIMIZERS, TrainingConfig
from nnlab.engine.counter_random import Stream, key, mixed, permutation
from nnlab.engine.device import random_words
from nnlab.engine.device.network import Dropout as DeviceDropout
from nnlab.engine.network import Dropout
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem
from tests.engine.device_backends import (
    assert_close,
    build_backend,
    build_population,
    collect,
    on_every_backend,
)

BASE = TrainingConfig(hidden_units=(6, 5), batch_size=16, steps=60, learning_rate=0.01)
HEADS = [
    *(("regression", loss, output) for loss in ("mse", "half_mse", "mae", "huber") for output in ("linear",)),
    *(("regression", "mse", output) for output in ("tanh", "sigmoid")),
    *(("binary", loss, "auto") for loss in ("binary_cross_entropy", "mse", "half_mse")),
    *(("multiclass", loss, "auto") for loss in ("softmax_cross_entropy", "binary_cross_entropy", "half_mse")),
    *(("multilabel", loss, "auto") for loss in ("binary_cross_entropy", "mse")),
    ("binary", "half_mse", "sigmoid"),
    ("binary", "mae", "sigmoid"),
]
SETTINGS: dict[str, dict[str, Any]] = {
    "batch norm": {"batch_norm": True},
    "dropout": {"dropout": (0.2, 0.4)},
    "dropout under tanh": {"dropout": 0.3, "activation": "tanh"},
    "dropout of one layer": {"dropout": (0.0, 0.5), "batch_norm": True},
    "l1": {"l1": 0.01, "optimizer": "sgd"},
    "l2": {"l2": 0.01},
    "max-norm": {"max_norm": 0.5},
    "clipped values": {"clip_value": 0.01, "optimizer": "sgd"},
    "clipped layers": {"clip_layer_norm": 0.05, "optimizer": "momentum"},
    "clipped norm": {"clip_norm": 0.05, "clip_layer_norm": 0.1, "optimizer": "nesterov"},
    "penalised FTRL": {"optimizer": "ftrl", "l1": 0.01, "l2": 0.1},
    "cosine": {"schedule": "cosine", "warmup_steps": 10},
    "steps down": {"schedule": "step", "decay_every": 20},
    "plateau": {"schedule": "reduce_on_plateau", "plateau_epochs": 1, "learning_rate": 0.3},
    "early stopping": {"early_stopping_epochs": 2, "learning_rate": 0.1, "steps": 200},
    "no shuffling": {"shuffle": False},
    "playground": {"initializer": "playground"},
    "small batches": {"batch_size": 10},
    "a linear model": {"hidden_units": ()},
    "one layer": {"hidden_units": (1,), "activation": "relu6"},
}


@pytest.fixture(autouse=True)
def _reference_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_TIER", "numpy")


def assert_all_agree(configs: list[TrainingConfig], task: str, name: str = "numpy", **more: Any) -> None:
    problem = build_problem(task)
    found = collect(build_population(configs, problem, name))
    for index, config in enumerate(configs):
        assert_close(found[index], joined(list(train(config, problem))), **more)
        assert found[index].nonfinite is None


def members(config: TrainingConfig) -> list[TrainingConfig]:
    """Three that differ in seed and learning rate."""
    return [replace(config, seed=seed, learning_rate=config.learning_rate * (1 + seed)) for seed in range(3)]


@on_every_backend
@pytest.mark.parametrize("activation", NATIVE_ACTIVATIONS)
def test_every_activation_agrees(activation: str, name: str) -> None:
    assert_all_agree(members(replace(BASE, activation=activation)), "binary", name)


@on_every_backend
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_agrees(optimizer: str, name: str) -> None:
    assert_all_agree(members(replace(BASE, optimizer=optimizer)), "regression", name)


@on_every_backend
@pytest.mark.parametrize(("task", "loss", "output"), HEADS)
def test_every_loss_agrees(task: str, loss: str, output: str, name: str) -> None:
    assert_all_agree(members(replace(BASE, loss=loss, output_activation=output)), task, name)


@on_every_backend
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_class_weights_agree(task: str, name: str) -> None:
    assert_all_agree(members(replace(BASE, class_weights=True)), task, name)


@on_every_backend
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_every_setting_agrees(settings: dict[str, Any], name: str) -> None:
    assert_all_agree(members(replace(BASE, **settings)), "binary", name)


def test_members_with_and_without_a_setting_agree() -> None:
    without = replace(BASE, optimizer="momentum", dropout=0.1)
    configs = [
        *(without, replace(without, l1=0.01), replace(without, l2=0.1), replace(without, max_norm=0.4)),
        *(replace(without, clip_value=0.01), replace(without, clip_norm=0.05, momentum=0.5)),
        *(replace(without, schedule="cosine"), replace(without, shuffle=False, dropout=(0.5, 0.2))),
        *(replace(without, early_stopping_epochs=1, learning_rate=1.0), replace(without, steps=25)),
    ]
    assert_all_agree(configs, "binary")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_in_float64_they_agree_far_below_the_rounding_of_float32(optimizer: str) -> None:
    config = replace(BASE, optimizer=optimizer, dtype="float64", batch_norm=True, activation="prelu", l2=0.01)
    assert_all_agree(members(config), "regression", tolerance=1e-10)


@on_every_backend
@pytest.mark.parametrize("width", [5, 70])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_evaluations_in_several_blocks_agree(activation: str, width: int, name: str) -> None:
    problem = build_problem("multiclass", rows=600)
    config = replace(BASE, hidden_units=(6, width), activation=activation, batch_size=64, steps=9)
    found = collect(build_population(members(config), problem, name))
    for index, member in enumerate(members(config)):
        assert_close(found[index], joined(list(train(member, problem))))
    assert found[0].evaluations[0].effective_rank is not None


@on_every_backend
def test_members_of_different_lengths_take_ranks_when_each_is_due(name: str) -> None:
    problem = build_problem("binary", rows=64)
    configs = [replace(BASE, steps=steps) for steps in (4 * 12, 4 * 4)]
    found = collect(build_population(configs, problem, name))
    taken = [[seen.epoch for seen in found[i].evaluations if seen.effective_rank is not None] for i in (0, 1)]
    assert taken == [[0, 1, 2, 3, 5, 8, 12], [0, 1, 2, 3, 4]]


@on_every_backend
def test_orders_are_the_reference_s(name: str) -> None:
    backend = build_backend(name)
    found = backend.download(random_words.orders(backend, [3, 4], 7, 50))
    for order, seed in zip(found, (3, 4), strict=True):
        np.testing.assert_array_equal(order, permutation(mixed(key(seed, Stream.SHUFFLE), 7), 50))


@on_every_backend
def test_dropout_masks_are_the_reference_s(name: str) -> None:
    backend, shape = build_backend(name), (6, 16)
    configs = [replace(BASE, dropout=rate, seed=seed) for seed, rate in enumerate((0.1, 0.5))]
    like = backend.upload(np.ones((2, *shape), np.float32))
    dropout = DeviceDropout(backend, like, configs, 1)
    dropout.prepare(41, 3)
    dropout.apply(2, like, backend.xp.empty_like(like))
    for mask, config in zip(backend.download(dropout.mask), configs, strict=True):
        known = Dropout(np.ones(shape, np.float32), config.dropouts[1], seed=config.seed, layer=1)
        known.draw(43)
        np.testing.assert_array_equal(mask, known.mask)
