"""The same bits in another process, and the same numbers to rounding on another instruction set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.errors import EngineError
from nnlab.engine.native import library
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem
from tests.engine.native import needs_native

CONFIGS: dict[str, dict[str, Any]] = {
    "small": {"hidden_units": (7, 20), "batch_size": 12, "dropout": 0.2},
    "normalised": {"hidden_units": (33,), "activation": "elu", "batch_norm": True, "batch_size": 21},
    "everything": {
        "hidden_units": (6, 5), "activation": ("prelu", "tanh"), "batch_size": 10, "l1": 1e-3, "l2": 1e-3,
        "max_norm": 3.0, "clip_value": 0.1, "clip_layer_norm": 0.3, "clip_norm": 0.3, "class_weights": True,
        "optimizer": "nesterov", "schedule": "cosine", "warmup_steps": 5,
    },
    "wide": {"hidden_units": (600, 520), "batch_size": 64, "steps": 5, "learning_rate": 1e-3},
}  # fmt: skip
PROGRAM = """
import json, sys
from tests.engine.test_repeatability import losses
print(json.dumps(losses(sys.argv[1])))
"""


def losses(name: str) -> list[str]:
    """Train, and give each loss and gradient norm with all its bits."""
    config = TrainingConfig(**{"steps": 60, **CONFIGS[name]})
    records = joined(list(train(config, build_problem("multiclass"))))
    return [value.hex() for value in (*records.losses.tolist(), *records.gradient_norms.tolist())]


def in_another_process(name: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found


def numbers(values: list[str]) -> np.ndarray[Any, Any]:
    return np.array([float.fromhex(value) for value in values])


def builds_here() -> list[str]:
    """The builds that this CPU runs; none where nothing was built."""
    try:
        return library._usable(library._builds())
    except EngineError:
        return []


@pytest.mark.parametrize("name", ["small", "everything"])
def test_another_process_gives_the_same_bits(name: str, tier: str) -> None:
    assert in_another_process(name, NNLAB_TIER=tier) == losses(name)


@needs_native
@pytest.mark.parametrize("build", builds_here())
def test_every_build_gives_the_same_numbers_to_rounding(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CONFIGS:
        monkeypatch.setenv("NNLAB_TIER", "native")
        found = numbers(in_another_process(name, NNLAB_ISA=build))
        np.testing.assert_allclose(found, numbers(losses(name)), rtol=2e-5)
