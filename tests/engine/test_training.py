"""Training: what is yielded, that it repeats, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.engine import training
from nnlab.engine.config import TrainingConfig
from nnlab.engine.errors import ConfigError
from nnlab.engine.problem import Problem
from nnlab.engine.records import Ending, Evaluation, Records
from nnlab.engine.training import describe, train
from tests.engine.builders import build_problem, build_trainer, run

TASKS = ["regression", "binary", "multiclass", "multilabel"]


def assert_same(a: Records, b: Records) -> None:
    """Compare to the last bit, NaN included."""
    assert a.losses.tobytes() == b.losses.tobytes()
    assert a.gradient_norms.tobytes() == b.gradient_norms.tobytes()
    assert a.learning_rates.tobytes() == b.learning_rates.tobytes()
    assert (a.nonfinite, a.ended) == (b.nonfinite, b.ended)
    assert len(a.samples) == len(b.samples)
    for one, other in zip([*a.samples, *a.evaluations], [*b.samples, *b.evaluations], strict=True):
        for field, value in vars(one).items():
            same = vars(other)[field]
            if field == "active_counts":
                assert [counts.tolist() for counts in value] == [counts.tolist() for counts in same]
            elif isinstance(value, np.ndarray):
                assert value.tobytes() == same.tobytes(), field
            else:
                assert repr(value) == repr(same), field


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize("task", TASKS)
def test_a_run_repeats_to_the_last_bit_wherever_chunks_are_cut(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = build_problem(task, rows=100)
    config: dict[str, Any] = {
        "hidden_units": (8, 8),
        "dropout": 0.2,
        "batch_size": 16,
        "steps": 45,
        "seed": 4,
    }
    first = run(problem, **config)
    monkeypatch.setattr(training, "CHUNK_SECONDS", 0.0)  # a chunk for every step
    assert_same(first, run(problem, **config))
    parts = list(train(TrainingConfig(**config), problem))
    assert [len(part.losses) for part in parts] == [0, *[1] * 45]


@pytest.mark.usefixtures("tier")
def test_another_seed_gives_another_run() -> None:
    problem = build_problem()
    assert run(problem, steps=3, seed=1).losses[0] != run(problem, steps=3, seed=2).losses[0]


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize("task", TASKS)
def test_training_beats_the_best_constant(task: str) -> None:
    problem = build_problem(task, rows=200)
    info = describe(TrainingConfig(epochs=30), problem)
    records = run(problem, epochs=30)
    assert records.losses[0] > 0.5 * info.baseline_loss
    assert records.losses[-1] < 0.5 * info.baseline_loss
    last = records.evaluations[-1].metrics[info.headline]
    assert last < info.baseline_metric if task == "regression" else last > info.baseline_metric


def test_the_first_records_hold_the_untrained_networks_evaluation_only() -> None:
    first = next(train(TrainingConfig(), build_problem()))
    assert (first.first_step, len(first.losses), first.ended) == (1, 0, None)
    assert [(found.step, found.epoch, found.rows) for found in first.evaluations] == [(0, 0, 64)]


@pytest.mark.usefixtures("tier")
def test_evaluations_follow_each_epoch_and_the_end() -> None:
    problem = build_problem(rows=64)
    by_epochs = run(problem, batch_size=10, epochs=3)
    assert [(found.step, found.epoch) for found in by_epochs.evaluations] == [
        (0, 0),
        (6, 1),
        (12, 2),
        (18, 3),
    ]
    by_steps = run(problem, batch_size=10, steps=8)
    assert [(found.step, found.epoch) for found in by_steps.evaluations] == [(0, 0), (6, 1), (8, 1)]
    assert (by_steps.last_step, by_steps.ended) == (8, Ending.END)


@pytest.mark.usefixtures("tier")
def test_evaluations_follow_every_so_many_steps_where_that_is_wanted() -> None:
    problem = build_problem(rows=64)
    often = run(problem, batch_size=10, steps=16, validate_every=4)
    assert [(found.step, found.epoch) for found in often.evaluations] == [
        (0, 0), (4, 0), (8, 1), (12, 2), (16, 2),
    ]  # fmt: skip
    seldom = run(problem, batch_size=10, steps=40, validate_every=15)
    assert [(found.step, found.epoch) for found in seldom.evaluations] == [(0, 0), (15, 2), (30, 5), (40, 6)]
    assert often.losses.tobytes() == seldom.losses[:16].tobytes()
    never = run(problem, batch_size=10, steps=8, validate_every=1000)
    assert [found.step for found in never.evaluations] == [0, 8]


@pytest.mark.usefixtures("tier")
def test_chunks_follow_each_other_without_gap() -> None:
    expected = 1
    for records in train(TrainingConfig(steps=300), build_problem()):
        assert records.first_step == expected
        expected = records.last_step + 1
    assert expected == 301


@pytest.mark.usefixtures("tier")
def test_closing_the_generator_stops_the_run() -> None:
    records = train(TrainingConfig(steps=10**9), build_problem())
    next(records)
    next(records)
    records.close()
    assert list(records) == []


def test_every_row_is_seen_once_an_epoch_in_a_new_order() -> None:
    rows = 40
    x = np.arange(2.0 * rows).reshape(-1, 1)
    problem = Problem("regression", x[:rows], x[:rows], x[rows:], x[rows:], 1)
    trainer = build_trainer(problem, batch_size=10)
    epochs = []
    for _ in range(2):
        seen: list[float] = []
        for _ in range(4):
            trainer.step += 1
            batch, targets = trainer._batch()
            np.testing.assert_array_equal(batch[0], targets[:, 0])
            seen += batch[0].tolist()
        epochs.append(seen)
    assert sorted(epochs[0]) == sorted(epochs[1]) == x[:rows, 0].tolist()
    assert epochs[0] != epochs[1]


def test_every_step_draws_its_own_dropout_mask() -> None:
    trainer = build_trainer(build_problem(), dropout=0.5)
    dropout = trainer._pass.dropouts[0]
    assert dropout is not None
    masks = []
    for _ in range(3):
        trainer.run_chunk(1)
        masks.append(dropout.mask.copy())
    assert (masks[0] != masks[1]).any()
    assert (masks[1] != masks[2]).any()


def test_without_shuffling_rows_keep_their_order() -> None:
    problem = build_problem(rows=40)
    trainer = build_trainer(problem, batch_size=10, shuffle=False)
    trainer.step = 6  # second batch of the second epoch
    np.testing.assert_array_equal(trainer._batch()[0][:-1].T, problem.x_train[10:20])


def test_losses_are_those_of_the_batch_before_the_update_without_penalties() -> None:
    problem = build_problem("regression", rows=32)
    config: dict[str, Any] = {"hidden_units": (4,), "batch_size": 32, "dtype": "float64", "seed": 1}
    swapped = replace(problem, x_val=problem.x_train, y_val=problem.y_train)
    untrained = run(swapped, steps=1, **config).evaluations[0].metrics["val_loss"]
    assert run(swapped, steps=1, l2=5.0, **config).losses[0] == pytest.approx(untrained, rel=1e-12)


def test_metrics_are_told_in_the_targets_own_unit() -> None:
    problem = build_problem("regression")
    plain = run(problem, steps=5).evaluations[-1].metrics
    scaled = run(replace(problem, target_scale=1000.0), steps=5).evaluations[-1].metrics
    for name in ("val_rmse", "val_mae"):
        assert scaled[name] == pytest.approx(1000.0 * plain[name])
    assert (scaled["val_loss"], scaled["val_r2"]) == (plain["val_loss"], plain["val_r2"])
    assert plain["val_rmse"] == pytest.approx(np.sqrt(plain["val_loss"]))


def test_metrics_do_not_depend_on_the_blocks_of_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = build_problem("multiclass", rows=50)
    whole = build_trainer(problem).evaluate()
    monkeypatch.setattr("nnlab.engine.evaluation.BLOCK_ROWS", 7)
    blocks = build_trainer(problem).evaluate()
    assert isinstance(whole, Evaluation)
    assert isinstance(blocks, Evaluation)
    assert blocks.metrics == pytest.approx(whole.metrics, rel=1e-6)
    np.testing.assert_allclose(blocks.zero_share, whole.zero_share)


def test_describe_tells_shape_and_baselines() -> None:
    problem = build_problem("binary", rows=64)
    info = describe(TrainingConfig(hidden_units=(4, 2), activation="tanh", batch_size=10, epochs=3), problem)
    assert (info.widths, info.activations, info.parameters) == ((4, 2, 1), ("tanh", "tanh", "sigmoid"), 29)
    assert (info.steps, info.steps_per_epoch, info.train_rows, info.validation_rows) == (18, 6, 64, 64)
    share = problem.y_train.mean()
    assert info.baseline_loss == pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share))
    commonest = int(share > 0.5)
    assert info.baseline_metric == (problem.y_val == commonest).mean()
    assert [info.layer_name(layer) for layer in range(3)] == ["hidden 1", "hidden 2", "output"]


@pytest.mark.usefixtures("tier")
def test_a_batch_larger_than_the_data_is_refused_at_the_call() -> None:
    with pytest.raises(ConfigError, match="at most the 64 training rows, got 65") as caught:
        train(TrainingConfig(batch_size=65), build_problem(rows=64))
    assert caught.value.field == "batch_size"
