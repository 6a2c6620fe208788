"""Which tier trains what, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.device import cupy_backend
from nnlab.engine.errors import EngineError
from nnlab.engine.population import Population
from nnlab.engine.populations import make_population
from nnlab.engine.tiers import make_trainer, tier_for
from tests.engine.builders import build_problem
from tests.engine.native import needs_native

CONFIG = TrainingConfig()
no_gpu = pytest.mark.skipif(cupy_backend.available(), reason="a GPU is here")


@needs_native
def test_the_native_tier_trains_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNLAB_TIER", raising=False)
    assert tier_for(CONFIG) == "native"


def test_float64_is_trained_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNLAB_TIER", raising=False)
    assert tier_for(replace(CONFIG, dtype="float64")) == "numpy"


@pytest.mark.parametrize("tier", ["native", "cupy"])
def test_float64_is_refused_elsewhere(tier: str) -> None:
    with pytest.raises(EngineError, match=f"expected dtype float32 on the {tier} tier, got float64"):
        tier_for(replace(CONFIG, dtype="float64"), tier)


ODD: dict[str, dict[str, Any]] = {
    "the activation exponential": {"hidden_units": (4, 4), "activation": ("relu", "exponential")},
    "the output activation relu": {"output_activation": "relu"},
    "the output activation softplus": {"output_activation": "softplus", "loss": "huber"},
    "the output activation exponential": {"output_activation": "exponential", "loss": "mse"},
    "the loss cross_entropy": {"loss": "cross_entropy"},
    "the loss mse of a softmax": {"output_activation": "softmax", "loss": "mse"},
}


@pytest.mark.parametrize("part", ODD)
def test_odd_parts_are_trained_by_numpy(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNLAB_TIER", raising=False)
    assert tier_for(TrainingConfig(**ODD[part])) == "numpy"


@pytest.mark.parametrize("part", ODD)
@pytest.mark.parametrize("tier", ["native", "cupy"])
def test_odd_parts_are_refused_elsewhere(part: str, tier: str) -> None:
    with pytest.raises(EngineError, match=f"expected what the {tier} tier has, got {part}; use numpy"):
        tier_for(TrainingConfig(**ODD[part]), tier)


def test_the_environment_may_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_TIER", "numpy")
    assert tier_for(CONFIG) == "numpy"


def test_an_unknown_tier_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_TIER", "fast")
    with pytest.raises(EngineError, match="expected a tier among auto, numpy, native, cupy, got 'fast'"):
        tier_for(CONFIG)


@no_gpu
def test_a_gpu_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLAB_TIER", "cupy")
    with pytest.raises(EngineError, match="expected the cupy tier, which is not here: CuPy"):
        make_trainer(CONFIG, build_problem())
    with pytest.raises(EngineError, match="expected the cupy tier, which is not here: CuPy"):
        make_population([CONFIG], build_problem())


def test_populations_are_trained_on_the_cpu_unless_a_gpu_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NNLAB_TIER", raising=False)
    assert isinstance(make_population([CONFIG], build_problem()), Population)
