"""What peers' rules read beyond our records: the same run on the NumPy tier, with a look at every tensor.

Looked at are the first 100 steps, about 300 more, every 500th, and the first batch of about 300 epochs.
Gradients are those before clipping and penalties. Statistics of the output layer are of its answers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.config import TrainingConfig
from nnlab.engine.numpy_trainer import NumpyTrainer
from nnlab.engine.records import Evaluation
from tests.benchmarks.health.datasets import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.engine.problem import Problem
    from nnlab.engine.records import NonFinite, Sample
    from tests.benchmarks.health.training import Run

FIRST, MORE, SAVED, EPOCHS = 100, 300, 500, 300
NEAR_ZERO, ALMOST_DEAD = 1e-5, 1e-5
INSIDE = {"tanh": (-9.5, 9.5), "sigmoid": (-23.0, 17.0)}
RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
BINS = 50
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Probe:
    """A run as peers see it.

    Shapes: ``tensors`` (looks, layers) by name, of all layers, output last; ``at`` (looks,) the steps looked
    at; ``losses`` (steps,); ``epochs`` (epochs,) by name: train_loss, train_accuracy, val_loss, val_accuracy.
    """

    at: Any
    tensors: Arrays
    losses: Any
    epochs: Arrays
    epoch_steps: int
    relu: tuple[bool, ...]

    def look(self, step: int) -> int:
        """Give the index of the last look up to a step."""
        return max(0, int(np.searchsorted(self.at, step, side="right")) - 1)

    def firsts(self) -> Any:
        """Give the indices of the looks at an epoch's first batch."""
        return np.flatnonzero((self.at - 1) % self.epoch_steps == 0)


class ProbedTrainer(NumpyTrainer):
    """Trains as the NumPy tier does, and looks at every tensor now and then."""

    def __init__(self, config: TrainingConfig, problem: Problem) -> None:
        super().__init__(config, problem, probes=False)
        self.at: list[int] = []
        self.looks: list[dict[str, list[float]]] = []
        self.seen_losses: list[float] = []
        self.right: list[float] = []
        self._stride = max(1, self.steps // MORE)
        self._epoch_stride = max(1, self.steps // self.steps_per_epoch // EPOCHS)
        self._before: Any = None

    def _is_due(self) -> bool:
        step = self.step
        epoch, inside = divmod(step - 1, self.steps_per_epoch)
        first = inside == 0 and epoch % self._epoch_stride == 0
        return step <= FIRST or step % self._stride == 0 or (step - 1) % SAVED == 0 or first

    def _run_step(self, samples: list[Sample]) -> tuple[float, float, NonFinite | None]:
        found = super()._run_step(samples)
        self.seen_losses.append(found[0])
        if found[2] is not None:
            self._look(self.network.gradients, self.network.parameters)
        self.right.append(self._share_right())
        return found

    def _update(self) -> None:
        if not self._is_due():
            super()._update()
            return
        gradients, before = self.network.gradients.copy(), self.network.parameters.copy()
        super()._update()
        self._look(gradients, before)

    def _share_right(self) -> float:
        if self._problem.task == "regression":
            return float("nan")
        targets = self._target_batch if self._config.shuffle else self._batch()[1]
        if self._problem.task == "multiclass":
            wanted = targets[:, 0] if targets.shape[1] == 1 else targets.argmax(axis=1)
        else:
            wanted = targets[:, 0] > 0.5 if targets.shape[1] == 1 else targets > 0.5
        return float((self.head.labels(self.head.answers(self._pass.z)) == wanted).mean())

    def _look(self, gradients: Any, before: Any) -> None:
        self.at.append(self.step)
        found: dict[str, list[float]] = {}
        passed = self._pass
        answers = self.head.answers(passed.z)
        outputs = [*((trace.z, trace.a) for trace in passed.traces), (passed.z, answers)]
        for layer, (z, a) in zip(self.network.layers, outputs, strict=True):
            weights, after = layer.weights, self.network.parameters
            told = _of_weights(
                gradients[layer.parameters], gradients[weights], before[weights], after[weights]
            )
            told |= _of_units(layer.name, z, a)
            for name, value in told.items():
                found.setdefault(name, []).append(value)
        row_sum = float(answers.sum(axis=0).max())
        shared = {"answer_low": float(answers.min()), "answer_high": float(answers.max()), "row_sum": row_sum}
        for name, value in shared.items():
            found[name] = [value] * len(outputs)
        self.looks.append(found)


def _of_weights(all_gradients: Any, gradient: Any, before: Any, after: Any) -> dict[str, float]:
    size, change = np.abs(gradient), np.abs(after - before)
    low, high = np.percentile(gradient, [5, 95])
    return {
        "g_mean": float(size.mean()),
        "g_sum": float(np.abs(all_gradients).sum()),
        "g_count": float(all_gradients.size),
        "g_zero": float((all_gradients == 0).mean()),
        "g_norm": float(np.linalg.norm(gradient)),
        "g_spread": float(high - low),
        "g_average": float(gradient.mean()),
        "w_mean": float(np.abs(before).mean()),
        "w_average": float(before.mean()),
        "w_small": float((np.abs(before) < NEAR_ZERO).mean()),
        "w_unchanged": float(np.allclose(after, before, rtol=1e-5, atol=1e-8)),
        "u_mean": float(change.mean()),
        "u_ratio": float((change / (np.abs(before) + 1e-9)).mean()),
        "finite": float(np.isfinite(all_gradients).all() and np.isfinite(after).all()),
    }


def _of_units(activation: str, z: Any, a: Any) -> dict[str, float]:
    """Describe a layer's units over the batch. Shapes: z and a (units, rows)."""
    first = activation.rsplit(">", maxsplit=1)[-1]
    inside = INSIDE.get(first)
    outside = 0.0
    if inside is not None:
        active = ((z > inside[0]) & (z < inside[1])).mean(axis=1)
        outside = float((active < 0.01).mean())
    bounded = RANGES.get(first)
    return {
        "z_variance": float(z.var()),
        "z_large": float((np.abs(z) >= 5).mean()),
        "a_average": float(a.mean()),
        "a_size": float(np.abs(a).mean()),
        "a_deviation": float(a.std()),
        "a_zero": float((a <= 0).mean()),
        "a_finite": float(np.isfinite(a).all()),
        "dead_units": float(((a > 0).mean(axis=1) < 0.01).mean()),
        "silent_units": float((np.percentile(np.abs(a), 95, axis=1) < ALMOST_DEAD).mean()),
        "outside": outside,
        "saturated": 0.0 if bounded is None else float((saturation(a, *bounded) > 0.85).mean()),
    }


def saturation(a: Any, low: float, high: float) -> Any:
    """Measure by how much each unit's outputs crowd at the ends of their range: 1 is all, 0.5 evenly spread.

    Shapes: (units, rows) -> (units,).

    Source: Rakitianskaia and Engelbrecht 2015, rho_B.
    """
    scaled = 2 * (np.nan_to_num(a) - low) / (high - low) - 1
    places = np.clip(((scaled + 1) / 2 * BINS).astype(np.int64), 0, BINS - 1)
    rows = a.shape[1]
    flat = places + BINS * np.arange(len(a))[:, None]
    counts = np.bincount(flat.ravel(), minlength=BINS * len(a)).reshape(len(a), BINS)
    sums = np.bincount(flat.ravel(), weights=scaled.ravel(), minlength=BINS * len(a)).reshape(len(a), BINS)
    return np.abs(sums).sum(axis=1) / np.maximum(counts.sum(axis=1), min(rows, 1))


def probe_of(run: Run) -> Probe:
    """Give what peers see of a run; train it again where nobody has."""
    path = run.path.with_suffix(".peers.npz")
    config = TrainingConfig.from_dict(run.case.training | {"seed": run.seed})
    relu = tuple(name.split(">")[-1] in {"relu", "relu6"} for name in config.activations)
    if not path.exists():
        arrays = _probed(config, problem_of(run.case.data))
        unfinished = path.with_suffix(f".{os.getpid()}.part.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(unfinished, **arrays)
        unfinished.replace(path)
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in kept.files}
    tensors = {name[2:]: value.astype(np.float64) for name, value in arrays.items() if name.startswith("t/")}
    epochs = {name[2:]: value for name, value in arrays.items() if name.startswith("e/")}
    return Probe(arrays["at"], tensors, arrays["losses"], epochs, int(arrays["epoch_steps"]), (*relu, False))


def _judged(trainer: ProbedTrainer) -> Mapping[str, float]:
    """Evaluate a run that can go on."""
    judged = trainer.judge() if trainer.ended is None else None
    return judged.metrics if isinstance(judged, Evaluation) else {}


def _probed(config: TrainingConfig, problem: Problem) -> Arrays:
    trainer = ProbedTrainer(config, problem)
    epochs: dict[str, list[float]] = {}
    epoch_steps = trainer.steps_per_epoch
    with np.errstate(all="ignore"):
        while trainer.ended is None and trainer.step < trainer.steps:
            done = slice(trainer.step, None)
            trainer.run_chunk(min(epoch_steps, trainer.steps - trainer.step))
            losses, right = trainer.seen_losses[done], trainer.right[done]
            metrics = _judged(trainer)
            for name, value in (
                ("train_loss", float(np.mean(losses))),
                ("train_accuracy", float(np.mean(right))),
                ("val_loss", metrics.get("val_loss", np.nan)),
                ("val_accuracy", metrics.get("val_accuracy", np.nan)),
            ):
                epochs.setdefault(name, []).append(value)
    names = trainer.looks[0]
    tensors = {f"t/{name}": np.array([look[name] for look in trainer.looks], np.float32) for name in names}
    return {
        "at": np.array(trainer.at),
        "losses": np.array(trainer.seen_losses),
        "epoch_steps": np.array(epoch_steps),
        **tensors,
        **{f"e/{name}": np.array(values) for name, values in epochs.items()},
    }
