"""Checkpoints: a run goes on from any of its steps as if it had never stopped, or says why it cannot."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.engine import training
from nnlab.engine.checkpoints import Checkpoint
from nnlab.engine.config import OPTIMIZERS, TrainingConfig
from nnlab.engine.errors import CheckpointError
from nnlab.engine.native import library
from nnlab.engine.records import Ending, Records
from nnlab.engine.tiers import make_trainer
from nnlab.engine.training import joined, train
from tests.engine.builders import build_problem
from tests.engine.native import needs_native
from tests.engine.test_training import assert_same

# 64 rows in batches of 6 are 10 steps an epoch, sampled in bursts of 6 steps.
EVERYTHING: dict[str, Any] = {
    "hidden_units": (6, 5), "activation": ("prelu", "tanh"), "dropout": 0.2, "batch_norm": True, "steps": 57,
    "batch_size": 6, "l1": 1e-3, "l2": 1e-3, "max_norm": 3.0, "clip_norm": 1.0, "class_weights": True,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    **{name: {**EVERYTHING, "optimizer": name} for name in OPTIMIZERS},
    "cosine": {**EVERYTHING, "schedule": "cosine", "warmup_steps": 25},
    "plateau": {**EVERYTHING, "schedule": "reduce_on_plateau", "plateau_epochs": 1, "learning_rate": 0.1},
    "early stop": {**EVERYTHING, "early_stopping_epochs": 1, "learning_rate": 0.2, "steps": 300},
    "validated often": {**EVERYTHING, "early_stopping_epochs": 4, "learning_rate": 0.2, "validate_every": 7},
    "best of all": {**EVERYTHING, "early_stopping_epochs": 50, "learning_rate": 0.5, "steps": 157},
    "in order": {"steps": 57, "shuffle": False, "batch_size": 64},
    "float64": {**EVERYTHING, "dtype": "float64"},
}
RUNS = [
    pytest.param(case, tier, marks=needs_native if tier == "native" else ())
    for case in CASES
    for tier in ("numpy", "native")
    if (case, tier) != ("float64", "native")
]
PROBLEM = build_problem("multiclass")


@cache
def every_step(case: str, tier: str = "numpy") -> tuple[list[Records], list[bytes]]:
    """Train to the end, step by step; give all records, and a checkpoint before each and after the last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "CHUNK_SECONDS", 0.0)
        patch.setenv("NNLAB_TIER", tier)
        run = train(TrainingConfig(**CASES[case]), PROBLEM)
        checkpoints, records = [run.checkpoint()], []
        for chunk in run:
            records.append(chunk)
            checkpoints.append(run.checkpoint())
    return records, checkpoints


def go_on(case: str, checkpoint: bytes) -> list[Records]:
    return list(train(TrainingConfig(**CASES[case]), PROBLEM, resume=checkpoint))


@pytest.mark.parametrize(("case", "tier"), RUNS)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
@settings(deadline=None, max_examples=15)
def test_a_run_goes_on_from_any_step_to_the_last_bit(case: str, tier: str, share: float) -> None:
    records, checkpoints = every_step(case, tier)
    done = int(share * len(records))
    assert_same(joined(records), joined([*records[:done], *go_on(case, checkpoints[done])]))


@pytest.mark.parametrize(("case", "tier"), RUNS)
def test_the_last_checkpoint_is_the_same_however_often_a_run_was_stopped(
    case: str, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, checkpoints = every_step(case, tier)
    monkeypatch.setenv("NNLAB_TIER", tier)
    run = train(TrainingConfig(**CASES[case]), PROBLEM)
    while True:
        records = next(run, None)
        if records is None or records.ended is not None:
            break
        kept = run.checkpoint()
        run.close()
        run = train(TrainingConfig(**CASES[case]), PROBLEM, resume=kept)
    assert run.checkpoint() == checkpoints[-1]


def test_the_cases_end_in_both_ways(tier: str) -> None:
    assert every_step("early stop", tier)[0][-1].ended is Ending.EARLY_STOP
    assert every_step("best of all", tier)[0][-1].evaluations[-1].restored_step is not None
    assert len(set(joined(every_step("plateau", tier)[0]).learning_rates)) > 1


@pytest.mark.parametrize("case", ["adam", "early stop"])
def test_a_run_that_had_ended_says_how_once_more(case: str, tier: str) -> None:
    records, checkpoints = every_step(case, tier)
    (last,) = go_on(case, checkpoints[-1])
    assert (last.ended, len(last.losses), last.evaluations) == (records[-1].ended, 0, ())
    assert last.first_step == records[-1].last_step + 1


@pytest.mark.usefixtures("tier")
def test_a_run_that_has_diverged_cannot_be_kept() -> None:
    run = train(TrainingConfig(optimizer="sgd", learning_rate=1e4, steps=200), PROBLEM)
    assert list(run)[-1].ended is Ending.DIVERGED
    with pytest.raises(CheckpointError, match="got one that has diverged"):
        run.checkpoint()


def test_a_run_goes_on_with_its_own_tier_whatever_is_asked_for(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_TIER", {"numpy": "auto", "native": "numpy"}[tier])
    run = train(TrainingConfig(**CASES["adam"]), PROBLEM, resume=every_step("adam", tier)[1][20])
    assert run.trainer.tier == tier


@needs_native
def test_a_run_whose_tier_is_not_here_is_refused_with_both_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = every_step("adam", "native")[1][20]
    monkeypatch.delenv("NNLAB_NATIVE_LIBRARY", raising=False)
    monkeypatch.setattr(library, "BUILT", tmp_path)
    library.load.cache_clear()
    words = "expected the native tier, which trained this run so far, got numpy here: .*no native library"
    try:
        with pytest.raises(CheckpointError, match=words):
            go_on("adam", data)
    finally:
        library.load.cache_clear()


def test_a_checkpoint_that_names_no_tier_goes_on_with_any() -> None:
    kept = Checkpoint.from_bytes(every_step("adam")[1][20])
    header = {"config": kept.config, "problem": kept.problem, "counters": kept.counters, "arrays": []}
    text = json.dumps(header).encode()
    data = struct.pack("<8sIIIQ", b"nnlab-cp", 1, len(text), zlib.crc32(text), len(text)) + text
    assert (kept.tier, Checkpoint.from_bytes(data).tier) == ("numpy", "auto")


@given(place=st.integers(0, 10**6))
@settings(deadline=None, max_examples=50)
def test_bytes_that_are_cut_off_are_refused(place: int) -> None:
    whole = every_step("adam")[1][20]
    with pytest.raises(CheckpointError, match=r"cut off|expected a checkpoint, got"):
        go_on("adam", whole[: place % len(whole)])


@given(place=st.integers(0, 10**6), change=st.integers(1, 255))
@settings(deadline=None, max_examples=100)
def test_a_damaged_byte_is_found_wherever_it_is(place: int, change: int) -> None:
    damaged = bytearray(every_step("adam")[1][20])
    damaged[place % len(damaged)] ^= change
    with pytest.raises(CheckpointError):
        go_on("adam", bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 something else", b"nnlab"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CheckpointError, match="expected"):
        go_on("adam", data)


def test_another_version_is_refused() -> None:
    data = bytearray(every_step("adam")[1][20])
    data[8] = 99
    with pytest.raises(CheckpointError, match="expected checkpoint version 1, got 99"):
        go_on("adam", bytes(data))


@pytest.mark.parametrize("header", [b"no json", b"[]", b'{"arrays": 3}', b'{"arrays": [["a", "f9", [1]]]}'])
def test_a_header_that_makes_no_sense_is_refused(header: bytes) -> None:
    data = struct.pack("<8sIIIQ", b"nnlab-cp", 1, len(header), zlib.crc32(header), len(header)) + header
    with pytest.raises(CheckpointError, match="expected a checkpoint's header"):
        go_on("adam", data)


def test_a_checkpoint_of_another_configuration_is_refused_with_what_differs() -> None:
    data = every_step("adam")[1][20]
    config = TrainingConfig(**{**CASES["adam"], "learning_rate": 0.5, "seed": 3})
    with pytest.raises(CheckpointError, match=r"learning_rate 0\.01 instead of 0\.5, seed 0 instead of 3"):
        train(config, PROBLEM, resume=data)


def test_a_checkpoint_of_other_examples_is_refused() -> None:
    data = every_step("adam")[1][20]
    other = PROBLEM.x_train.copy()
    other[0, 0] += 1.0
    with pytest.raises(CheckpointError, match="got one on others"):
        train(TrainingConfig(**CASES["adam"]), replace(PROBLEM, x_train=other), resume=data)


def test_arrays_of_another_network_are_refused(tier: str) -> None:
    trainers = [make_trainer(TrainingConfig(hidden_units=(n,)), PROBLEM, tier) for n in (3, 4)]
    counters, arrays = trainers[0].checkpoint()
    before = trainers[1].network.parameters.copy()
    with pytest.raises(
        CheckpointError, match="got others for burst/units, optimizer/square_sums, optimizer/sums, parameters"
    ):
        trainers[1].restore(counters, arrays)
    np.testing.assert_array_equal(trainers[1].network.parameters, before)
