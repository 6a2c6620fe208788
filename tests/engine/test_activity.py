"""What evaluations tell of hidden units and answers, against formulas on whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnlab.engine.activity import Looks, centred, effective_rank, is_due_now, rank_of, rank_rows, rare_steps
from nnlab.engine.config import NATIVE_ACTIVATIONS, TrainingConfig
from nnlab.engine.network import Pass, with_ones
from nnlab.engine.problem import Problem
from nnlab.engine.records import Evaluation
from nnlab.engine.tiers import make_trainer
from nnlab.engine.trainer import Trainer
from tests.engine.builders import build_problem, run
from tests.engine.native import TIERS


def build(problem: Problem, tier: str = "numpy", **config: Any) -> Trainer:
    return make_trainer(
        TrainingConfig(**{"hidden_units": (20, 9), "batch_size": 12, **config}), problem, tier
    )


def evaluated(trainer: Trainer) -> Evaluation:
    found = trainer.evaluate()
    assert isinstance(found, Evaluation)
    return found


def whole_pass(trainer: Trainer, problem: Problem) -> Pass:
    passed = Pass(trainer.network, len(problem.x_val), training=False)
    passed.forward(with_ones(problem.x_val, trainer.network.parameters.dtype.name).T)
    return passed


def dormant(a: NDArray[Any], activation: str) -> float:
    wide = a.astype(np.float64)
    sizes = np.abs(wide).mean(axis=1) if activation in ("relu", "relu6") else wide.std(axis=1)
    return float((sizes / sizes.mean() <= 0.025).mean())


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("activation", NATIVE_ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_shares_are_those_of_the_whole_arrays(tier: str, activation: str, batch_norm: bool) -> None:
    problem = build_problem("binary", rows=300)
    trainer = build(problem, tier, activation=activation, batch_norm=batch_norm)
    trainer.run_chunk(25)
    trainer.network.layers[0].affine[:, 3] *= 1e-4  # hardly varies
    trainer.network.layers[0].bias[5] = 30.0  # never below 0
    trainer.network.layers[1].bias[2] = -30.0  # never above 0, so dead where that can be
    if activation == "prelu":
        trainer.network.layers[0].slope[7] = -0.5  # type: ignore[index]  # above 0 on both sides
    found, passed = evaluated(trainer), whole_pass(trainer, problem)
    for layer, trace in enumerate(passed.traces):
        positive = (trace.z > 0.0).sum(axis=1)
        mixed = float(((positive > 0) & (positive < 300)).mean())
        assert found.mixed_share is not None
        assert found.dormant_share is not None
        assert found.mixed_share[layer] == pytest.approx(mixed)
        assert found.dormant_share[layer] == pytest.approx(dormant(trace.a, activation))
        dies = activation in ("relu", "relu6")
        dead, zero = (
            (float((positive == 0).mean()), float((trace.a == 0.0).mean())) if dies else (np.nan,) * 2
        )
        assert found.dead_share[layer] == pytest.approx(dead, nan_ok=True)
        assert found.zero_share[layer] == pytest.approx(zero, nan_ok=True)


@pytest.mark.parametrize("tier", TIERS)
def test_shares_tell_apart_what_hardly_varies_around_a_large_mean(tier: str) -> None:
    problem = build_problem("binary", rows=300)
    trainer = build(problem, tier, activation="sigmoid", hidden_units=(20,))
    trainer.network.layers[0].affine *= 1e-3  # outputs of 0.5, that vary by some 1e-4
    trainer.network.layers[0].affine[:, :8] *= 0.005
    found = evaluated(trainer)
    assert found.dormant_share == pytest.approx([0.4])


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_all_units_are_dormant_where_none_does_anything(tier: str, activation: str) -> None:
    trainer = build(build_problem("binary"), tier, activation=activation, initializer="zeros")
    found = evaluated(trainer)
    assert found.dormant_share == pytest.approx([1.0, 1.0])
    assert found.mixed_share == pytest.approx([0.0, 0.0])
    assert found.effective_rank == 0.0


@pytest.mark.parametrize("tier", TIERS)
def test_sums_that_overflow_say_nothing_of_dormancy(tier: str) -> None:
    trainer = build(build_problem("binary"), tier, activation="relu", hidden_units=(4, 4, 4))
    for layer in trainer.network.layers:
        layer.affine *= 1e20
    found = evaluated(trainer)
    assert found.dormant_share is not None
    assert np.isnan(found.dormant_share[-1])
    assert found.effective_rank is not None
    assert np.isnan(found.effective_rank)


def rank_by_svd(outputs: NDArray[Any]) -> float:
    wide = outputs.astype(np.float64)
    sigmas = np.linalg.svd(wide - wide.mean(axis=1, keepdims=True), compute_uv=False)
    shares = sigmas[sigmas > 0.0] / sigmas.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("width", "seen"), [(9, 256), (64, 256), (100, 64)])
def test_effective_rank_is_that_of_the_first_rows(tier: str, width: int, seen: int) -> None:
    problem = build_problem("multiclass", rows=300)
    trainer = build(problem, tier, hidden_units=(20, width))
    outputs = whole_pass(trainer, problem).traces[-1].a[:, :seen]
    assert evaluated(trainer).effective_rank == pytest.approx(rank_by_svd(outputs), rel=1e-4)


def test_effective_rank_of_known_matrices() -> None:
    assert effective_rank(np.eye(5)) == pytest.approx(5.0)
    assert effective_rank(np.diag([4.0, 0.0, 0.0])) == 1.0
    assert effective_rank(np.zeros((3, 3))) == 0.0
    assert np.isnan(effective_rank(np.full((2, 2), np.inf)))


def test_rounding_has_no_rank() -> None:
    rng = np.random.default_rng(0)
    noise = np.float32(0.5) + rng.integers(-1, 2, (6, 100)) * np.float32(6e-8)
    assert rank_of(noise.astype(np.float32)) == 0.0
    assert (centred(np, noise * np.float32(1.0)) == 0.0).all()


def test_ranks_are_not_taken_of_what_is_too_wide_or_not_there() -> None:
    problem = build_problem("binary", rows=30)
    assert evaluated(build(problem, hidden_units=())).effective_rank is None
    assert evaluated(build(problem, hidden_units=(1025,))).effective_rank is None
    assert (rank_rows(8, 30), rank_rows(1024, 500), rank_rows(1025, 500)) == (30, 64, 0)


def test_ranks_are_taken_often_at_first_and_at_every_tenth_of_the_run() -> None:
    wanted = rare_steps(1000, 10)
    taken = [epoch for epoch in range(101) if is_due_now(wanted, 10 * epoch, 10)]
    assert taken == [0, 1, 2, 3, 5, 8, 13, 21, 34, 40, 50, 60, 70, 80, 90, 100]
    short = rare_steps(27, 10)
    assert [step for step in (0, 5, 10, 15, 20, 25, 27) if is_due_now(short, step, 5)] == [0, 10, 20, 27]
    assert [step for step in range(0, 100, 25) if is_due_now(rare_steps(99, 10), step, 25)] == [0, 25, 50]


@pytest.mark.parametrize("tier", TIERS)
def test_a_run_takes_ranks_at_the_same_evaluations_in_any_chunks(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_TIER", tier)
    problem = build_problem("multiclass", rows=64)
    told = []
    for seconds in (0.0, 1.0):
        monkeypatch.setattr("nnlab.engine.training.CHUNK_SECONDS", seconds)
        told.append(run(problem, hidden_units=(6, 4), batch_size=16, epochs=12).evaluations)
    assert repr(told[0]) == repr(told[1])
    taken = [seen.epoch for seen in told[0] if seen.effective_rank is not None]
    assert taken == [0, 1, 2, 3, 5, 8, 12]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("task", "classes"), [("binary", 2), ("multiclass", 3)])
def test_predictions_and_recall_count_rows_of_each_class(tier: str, task: str, classes: int) -> None:
    problem = build_problem(task, rows=80)
    trainer = build(problem, tier, batch_size=16)
    trainer.run_chunk(20)
    found = evaluated(trainer)
    labels = trainer.head.labels(trainer.head.answers(whole_pass(trainer, problem).z))
    truth = np.asarray(problem.y_val)
    assert found.predicted is not None
    assert found.predicted.tolist() == [int((labels == k).sum()) for k in range(classes)]
    assert found.recall == pytest.approx([float((labels[truth == k] == k).mean()) for k in range(classes)])
    assert found.answer_variance is None


def test_recall_of_a_class_without_rows_is_unknown() -> None:
    given = build_problem("multiclass", rows=40)
    y = np.where(np.asarray(given.y_val) == 2, 0, given.y_val)
    problem = Problem("multiclass", given.x_train, given.y_train, given.x_val, y, 3)
    found = evaluated(build(problem))
    assert found.recall is not None
    assert np.isnan(found.recall).tolist() == [False, False, True]


def test_several_labels_have_no_predictions_of_classes() -> None:
    found = evaluated(build(build_problem("multilabel")))
    assert (found.predicted, found.recall, found.answer_variance) == (None, None, None)


@pytest.mark.parametrize("tier", TIERS)
def test_answer_variance_is_relative_to_the_targets(tier: str) -> None:
    problem = build_problem("regression", rows=80)
    trainer = build(problem, tier)
    z = whole_pass(trainer, problem).z
    expected = z.var(axis=1).sum() / np.asarray(problem.y_val, np.float64).var(axis=0).sum()
    assert evaluated(trainer).answer_variance == pytest.approx(float(expected), rel=1e-4)
    trainer.network.layers[-1].weight[:] = 0.0
    assert evaluated(trainer).answer_variance == 0.0


def test_answer_variance_of_constant_targets_is_unknown() -> None:
    given = build_problem("regression", rows=40)
    flat = np.ones_like(given.y_val)
    problem = Problem("regression", given.x_train, given.y_train, given.x_val, flat, 2)
    variance = evaluated(build(problem)).answer_variance
    assert variance is not None
    assert np.isnan(variance)


def test_evaluations_that_are_close_together_are_brief() -> None:
    small = Looks(100_000, 6, 6, work=2e5)
    due = [step for step in range(0, 100_002, 6) if small.is_due(step)]
    assert due[:7] == [0, 6, 12, 18, 30, 48, 54]
    gaps = np.diff([step for step in due if step > 2000])
    assert gaps.min() >= 6
    assert len(due) <= 170
    assert max(gaps / [step for step in due if step > 2000][:-1]) <= 0.05
    large = Looks(100_000, 6, 6, work=2e9)
    assert all(large.is_due(step) for step in range(0, 100_002, 6))


def test_the_rank_is_taken_in_evaluations_that_are_not_brief() -> None:
    looks = Looks(100_000, 6, 6, work=2e5)
    ranked = [step for step in (*range(0, 100_000, 6), 100_000) if looks.takes_rank(step)]
    assert ranked[-1] == 100_000
    assert all(looks.is_due(step) for step in ranked)


@pytest.mark.parametrize("tier", TIERS)
def test_brief_evaluations_have_the_metrics_of_others(tier: str) -> None:
    trainer = build(build_problem("multiclass", rows=80), tier, batch_size=16)
    full, brief = trainer.evaluate(), trainer.evaluate(is_brief=True)
    assert isinstance(full, Evaluation)
    assert isinstance(brief, Evaluation)
    assert brief.metrics == full.metrics
    assert (brief.is_brief, full.is_brief) == (True, False)
    assert np.isnan(brief.dead_share).all()
    assert brief.dead_share.shape == full.dead_share.shape
    assert brief.recall is None
