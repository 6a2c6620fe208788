"""What all health work costs: runs with probes, evaluation statistics, facts and monitor, and without.

Each repeat trains the same run both ways on one thread of the native tier, in turns of some 50 ms, so that
whatever else the machine does disturbs both alike. The ratios of CPU times are held to the budget. Two things
cannot be switched off and are in both: the gradient's norm, which the core's update pass takes at every step,
and its counts of hidden units in an evaluation, some per cent of that.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.data.config import DataConfig
from nnlab.data.preparation import prepare
from nnlab.engine.config import TrainingConfig
from nnlab.engine.evaluation import Evaluator
from nnlab.engine.metrics import headline
from nnlab.engine.problem import Problem
from nnlab.engine.records import Evaluation
from nnlab.engine.training import Training, describe, joined
from nnlab.health.facts import describe_data
from nnlab.health.monitor import Monitor
from tests.benchmarks.engine.machine import pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nnlab.engine.records import Records

WORST, TYPICAL = 0.03, 0.01  # of the time without
REPEATS, DRAWS = 10, 2000
SHORT_STEPS, WARM_UP_STEPS = 2000, 40
CHUNKS_OF_A_FLUSH = 20  # of 50 ms: a worker writes about once a second
BLOBS = "blobs"
NOTHING = np.empty(0)


@dataclass(frozen=True)
class Shape:
    """A network, its data and the length of its runs.

    Args:
        steps: that take some seconds.
    """

    name: str
    dataset: str
    hidden: tuple[int, ...]
    batch: int
    optimizer: str
    steps: int

    def config(self, steps: int) -> TrainingConfig:
        """Ask for a run of so many steps, at a rate that suits the optimizer."""
        return TrainingConfig(
            hidden_units=self.hidden,
            batch_size=self.batch,
            optimizer=self.optimizer,
            learning_rate=0.05 if self.optimizer == "sgd" else 0.001,
            steps=steps,
        )


SHAPES = (
    Shape("64-[128,64,32,16,8]-10, batch 32, SGD", "digits", (128, 64, 32, 16, 8), 32, "sgd", 60_000),
    Shape("784-[128,64,32,16,8]-10, batch 32, SGD", "mnist_5k", (128, 64, 32, 16, 8), 32, "sgd", 20_000),
    Shape("784-128-64-10, batch 32, Adam", "mnist_5k", (128, 64), 32, "adam", 15_000),
    Shape("784-512-512-10, batch 128, Adam", "mnist_5k", (512, 512), 128, "adam", 2000),
    Shape("784-2048-2048-10, batch 256, Adam", "mnist_5k", (2048, 2048), 256, "adam", 100),
    Shape("2-[5]x10-3, batch 128, Adam", BLOBS, (5,) * 10, 128, "adam", 100_000),
)


@cache
def problem_of(dataset: str) -> Problem:
    """Prepare a shipped dataset, or draw 1,000 points in three blobs."""
    if dataset != BLOBS:
        made = prepare(DataConfig(dataset=dataset))
        return Problem(made.task, made.x_train, made.y_train, made.x_val, made.y_val, made.outputs)
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=1000)
    x = rng.normal(np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.5]])[y], 0.5).astype(np.float32)
    return Problem("multiclass", x[:800], y[:800], x[800:], y[800:], 3)


class BareEvaluator(Evaluator):
    """Evaluates for loss and score alone."""

    def evaluate(self, step: int, epoch: int, *, ranks: bool = False, is_brief: bool = False) -> Evaluation:
        answers = np.empty((self._head.outputs, self._rows))
        loss = 0.0
        for rows, z in self._predict(self._activity(ranks=False)):
            gradient = np.empty_like(z)
            loss += self._head.loss_and_gradient(z, self._targets[rows], gradient) * z.shape[1]
            answers[:, rows] = self._head.answers(z)
        right = self._head.labels(answers) == self._problem.y_val
        metrics = {"val_loss": loss / self._rows, headline(self._problem.task): float(right.mean())}
        return Evaluation(step, epoch, metrics, NOTHING, NOTHING, self._rows)


def with_health(config: TrainingConfig, problem: Problem) -> Iterator[Records]:
    """Train as the product does: its monitor reads what came since the last flush."""
    monitor = Monitor(describe(config, problem), config.to_dict(), facts=describe_data(problem))
    monitor.start()
    unread: list[Records] = []
    for records in Training(config, problem):
        unread.append(records)
        if len(unread) == CHUNKS_OF_A_FLUSH or records.ended is not None:
            monitor.observe(joined(unread))
            unread.clear()
        yield records
    monitor.close()


def without_health(config: TrainingConfig, problem: Problem) -> Iterator[Records]:
    """Train without any health work."""
    describe(config, problem)
    training = Training(config, problem)
    trainer = training.trainer
    trainer._sampler.due = sys.maxsize
    bare = BareEvaluator(trainer.network, trainer.head, problem, trainer._make_predictor())
    trainer.__dict__["_evaluator"] = bare
    yield from training


class Used:
    """A run in progress, and the CPU time that it has used."""

    def __init__(self, run: Iterator[Records]) -> None:
        self._run = run
        self.seconds = self.loss = 0.0
        self.steps, self.goes_on = 0, True

    def go_on(self) -> None:
        """Take the next chunk of steps."""
        began = process_time()
        records = next(self._run, None)
        self.seconds += process_time() - began
        self.goes_on = records is not None
        if records is not None:
            self.steps += len(records.losses)
            self.loss += float(records.losses.sum())


def compare(config: TrainingConfig, problem: Problem, *, first: int = 0) -> tuple[Used, Used]:
    """Train both ways in turns: always the one that is behind.

    Args:
        first: which of the two begins, 0 or 1.
    """
    gc.collect()
    both = Used(with_health(config, problem)), Used(without_health(config, problem))
    order = both if first == 0 else both[::-1]
    while going := [run for run in order if run.goes_on]:
        min(going, key=lambda run: run.steps).go_on()
    return both


def measure(shape: Shape, steps: int, repeats: int) -> dict[str, Any]:
    """Compare both ways of training a shape, once to warm up and some times to measure."""
    config, problem = shape.config(steps), problem_of(shape.dataset)
    ours, theirs = compare(shape.config(min(steps, WARM_UP_STEPS)), problem)
    if not np.isclose(ours.loss, theirs.loss, rtol=1e-12):
        raise RuntimeError(f"expected the same losses with and without health work, got others: {shape.name}")
    found = [compare(config, problem, first=repeat % 2) for repeat in range(repeats)]
    used = np.array([[run.seconds for run in both] for both in found])
    return {
        "shape": shape.name,
        "steps": steps,
        "repeats": repeats,
        "step_us": 1e6 * float(np.median(used[:, 1])) / steps,
        "cpu": _interval(used[:, 0] / used[:, 1] - 1),
        "load": os.getloadavg()[0],
    }


def _interval(shares: Any) -> list[float]:
    """The median, and the ends of its 95 % interval."""
    rng = np.random.default_rng(0)
    drawn = np.median(rng.choice(shares, (DRAWS, len(shares))), axis=1)
    return [float(np.median(shares)), *(float(end) for end in np.percentile(drawn, [2.5, 97.5]))]


def _line(found: dict[str, Any]) -> str:
    middle, low, high = (100 * share for share in found["cpu"])
    return (
        f"{found['shape']:40} {found['steps']:7,} steps of {found['step_us']:8.1f} us:"
        f" CPU {middle:5.2f} % [{low:5.2f}, {high:5.2f}], load {found['load']:.1f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all or some shapes; give 1 where the budget is missed."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.health.overhead", description=__doc__)
    parser.add_argument("shapes", nargs="*", type=int, help="1 to 6; all by default")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--short", action="store_true", help=f"at most {SHORT_STEPS:,} steps each")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON, too")
    asked = parser.parse_args(arguments)
    pin()
    found = []
    for shape in [SHAPES[number - 1] for number in asked.shapes] or SHAPES:
        steps = min(shape.steps, SHORT_STEPS) if asked.short else shape.steps
        found.append(measure(shape, steps, asked.repeats))
        print(_line(found[-1]), flush=True)
    if asked.json:
        print(json.dumps(found))
    shares = [one["cpu"][0] for one in found]
    worst, typical = max(shares), float(np.median(shares))
    print(f"worst {worst:.2%} (allowed {WORST:.0%}), median {typical:.2%} (allowed {TYPICAL:.0%})")
    return int(not (worst < WORST and typical < TYPICAL))


if __name__ == "__main__":
    sys.exit(main())
