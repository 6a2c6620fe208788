"""Records built by hand: a healthy network with three hidden layers unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.records import Ending, Evaluation, NonFinite, Records, RunInfo, Sample
from nnlab.health.results import Result
from nnlab.health.signals import Signals
from nnlab.health.thresholds import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

WIDTHS = (8, 8, 8, 3)
CONFIG: dict[str, Any] = {
    "hidden_units": [8, 8, 8],
    "activation": "sigmoid",
    "dropout": 0.0,
    "initializer": "glorot_normal",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "l1": 0.0,
    "l2": 0.0,
    "clip_norm": None,
    "clip_value": None,
    "batch_size": 32,
    "epochs": 20,
    "steps": None,
}
DENSE_START = (1, 2, 3, 5, 8, 13, 21, 34)


def build_info(**changes: Any) -> RunInfo:
    info = RunInfo(
        task="multiclass",
        inputs=4,
        widths=WIDTHS,
        activations=("sigmoid", "sigmoid", "sigmoid", "softmax"),
        parameters=211,
        train_rows=1600,
        validation_rows=400,
        batch_size=32,
        steps=1000,
        steps_per_epoch=50,
        baseline_loss=1.1,
        headline="val_accuracy",
        baseline_metric=0.35,
    )
    return replace(info, **changes)


def build_relu_info(**changes: Any) -> RunInfo:
    return build_info(activations=("relu", "relu", "relu", "softmax"), **changes)


def build_sample(step: int, **changes: Any) -> Sample:
    sample = Sample(
        step=step,
        rows=32,
        gradient_rms=np.full(4, 1e-2),
        delta_rms=np.array([1e-2, 1.5e-2, 2e-2, 3e-2]),
        weight_norm=np.full(4, 2.0),
        update_ratio=np.full(4, 3e-3),
        spread=np.full(3, 0.5),
        zero_share=np.full(3, 0.4),
        saturated_share=np.zeros(3),
        active_counts=tuple(np.full(width, 20) for width in WIDTHS[:-1]),
    )
    return replace(sample, **changes)


def build_vanishing_sample(step: int, smallest: float = 3e-4) -> Sample:
    return build_sample(step, delta_rms=np.array([smallest, 3e-3, 2e-1, 1.0]))


def build_dead_sample(step: int, layer: int, **changes: Any) -> Sample:
    counts = [np.full(width, 20) for width in WIDTHS[:-1]]
    counts[layer] = np.zeros(WIDTHS[layer], dtype=np.int64)
    delta = np.array([1e-2, 1.5e-2, 2e-2, 3e-2])
    delta[: layer + 1] = 0.0
    return build_sample(step, active_counts=tuple(counts), delta_rms=delta, **changes)


def build_evaluation(step: int, accuracy: float = 0.9, **changes: Any) -> Evaluation:
    evaluation = Evaluation(
        step=step,
        epoch=step // 50,
        metrics={"val_loss": 0.3, "val_accuracy": accuracy},
        dead_share=np.zeros(3),
        zero_share=np.full(3, 0.4),
        rows=400,
    )
    return replace(evaluation, **changes)


def build_run(
    steps: int,
    *,
    loss: Callable[[int], float] | float = 0.2,
    norm: Callable[[int], float] | float = 1.0,
    sample: Callable[[int], Sample] = build_sample,
    samples_at: Sequence[int] | None = None,
    evaluation: Callable[[int], Evaluation] = build_evaluation,
    nonfinite: NonFinite | None = None,
) -> Records:
    """A whole run as one chunk: sampled as the engine does, evaluated every 50 steps."""
    every = range(1, steps + 1)
    if samples_at is None:
        samples_at = [*DENSE_START, *range(50, steps + 1, 10)]
    return Records(
        first_step=1,
        losses=np.array([loss(step) if callable(loss) else loss for step in every], dtype=np.float64),
        gradient_norms=np.array([norm(step) if callable(norm) else norm for step in every], dtype=np.float64),
        samples=tuple(sample(step) for step in samples_at if step <= steps),
        evaluations=tuple(evaluation(step) for step in range(0, steps + 1, 50)),
        nonfinite=nonfinite,
        ended=Ending.END if nonfinite is None else Ending.DIVERGED,
    )


def cut(records: Records, at: Sequence[int]) -> list[Records]:
    """Cut a chunk after the given steps, as a slower or faster machine would have."""
    edges = [0, *sorted(set(at)), records.last_step]
    chunks = []
    for number, (low, high) in enumerate(pairwise(edges)):
        is_last = number == len(edges) - 2
        first = number == 0

        def within(step: int, low: int = low, high: int = high, first: bool = first) -> bool:
            return low < step <= high or (first and step <= low)

        chunks.append(
            Records(
                first_step=low + 1,
                losses=records.losses[low:high],
                gradient_norms=records.gradient_norms[low:high],
                samples=tuple(s for s in records.samples if within(s.step)),
                evaluations=tuple(e for e in records.evaluations if within(e.step)),
                nonfinite=records.nonfinite if is_last else None,
                ended=records.ended if is_last else None,
            )
        )
    return chunks


def build_signals(
    info: RunInfo | None = None, *, steps: int = 50, loss: float = 1.0, norm: float = 1.0
) -> Signals:
    """What is known after so many equal steps."""
    signals = Signals(info or build_info(), config=CONFIG)
    signals.add_steps(np.full(steps, loss), np.full(steps, norm))
    return signals


def judge(check: ModuleType, signals: Signals) -> Result:
    """Ask one check, with the limits that it has in the product."""
    result = check.judge(signals, THRESHOLDS.checks[check.CHECK.id])
    assert isinstance(result, Result)
    return result
