"""Steps that each method of search trains until a network is as good as the best of so many random ones.

``python -m tests.benchmarks.search [--searches 20] [--trials 27] [--out results.json]``

Every search has a seed; methods are compared in pairs of equal seeds. Trials are trained by the engine as the
product's are, one after the other; the estimator is asked as the product asks it: after an opening of eight
trials, for four at a time. All have the same budget of steps, which halving spends on more trials. Steps are
counted, so a busy machine changes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeAlias

import numpy as np

from nnlab.data.config import DataConfig
from nnlab.data.preparation import prepare
from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.training import train
from nnlab.search.halving import Halving
from nnlab.search.proposing import State, Trial, propose
from nnlab.search.sampling import latin_hypercube, random_points
from nnlab.search.space import Choices, Point, Range, Space
from runs.submitted.search_plans import OPENING, SearchPlan

EPOCHS = 27
MOST = 10  # times as many trials as without halving
SPACE = Space(
    {
        "learning_rate": Range(1e-4, 1.0, log=True),
        "width": Range(8, 128, whole=True, log=True),
        "dropout": Range(0.0, 0.5),
        "l2": Range(1e-6, 1e-1, log=True),
        "activation": Choices(("relu", "tanh", "sigmoid")),
    }
)


Row: TypeAlias = tuple[int | None, int, float]


@dataclass(frozen=True)
class Curve:
    """Validation loss after each evaluation; infinite where it is not finite."""

    point: Point
    steps: Sequence[int]
    losses: Sequence[float]

    def upto(self, step: int) -> Curve:
        """Cut a curve off after the first evaluation at or after a step."""
        count = next((place for place, at in enumerate(self.steps, start=1) if at >= step), len(self.steps))
        return Curve(self.point, self.steps[:count], self.losses[:count])


def problem() -> Problem:
    """Prepare the handwritten digits as the product does."""
    found = prepare(DataConfig(dataset="digits"), Path("/nowhere"))
    return Problem(
        task=found.task, x_train=found.x_train, y_train=found.y_train, x_val=found.x_val, y_val=found.y_val,
        outputs=found.outputs, target_scale=found.target_scale,
    )  # fmt: skip


class Trainer:
    """Trains points, each once."""

    def __init__(self) -> None:
        self._problem, self._known = problem(), dict[str, Curve]()

    def __call__(self, point: Point) -> Curve:
        key = json.dumps(point, sort_keys=True)
        if key not in self._known:
            self._known[key] = self._trained(point)
        return self._known[key]

    def _trained(self, point: Point) -> Curve:
        settings = {name: value for name, value in point.items() if name != "width"}
        config = TrainingConfig(hidden_units=(point["width"],), epochs=EPOCHS, **settings)
        shown = [one for records in train(config, self._problem) for one in records.evaluations if one.step]
        losses = [one.metrics["val_loss"] for one in shown]
        sound = [loss if math.isfinite(loss) else math.inf for loss in losses]
        return Curve(point, [one.step for one in shown], sound) if shown else Curve(point, [1], [math.inf])


def at_random(trained: Trainer, seed: int, trials: int) -> Iterator[Curve]:
    """Train points drawn at random."""
    return map(trained, random_points(SPACE, trials, seed))


def in_hypercube(trained: Trainer, seed: int, trials: int) -> Iterator[Curve]:
    """Train points of a Latin hypercube."""
    return map(trained, latin_hypercube(SPACE, trials, seed))


def by_estimator(trained: Trainer, seed: int, trials: int) -> Iterator[Curve]:
    """Train an opening, then what the estimator proposes."""
    curves: list[Curve] = []
    points = latin_hypercube(SPACE, OPENING, seed)
    while points:
        for point in points:
            curves.append(trained(point))
            yield curves[-1]
        known = [Trial(curve.point, State.DONE, curve.losses[-1]) for curve in curves]
        points = propose(SPACE, known, min(SearchPlan.parallel, trials - len(curves)), seed)


def halved(trained: Trainer, seed: int, trials: int) -> Iterator[Curve]:
    """Train random points, each until a rung at which it is not among the best third so far."""
    scores: dict[int, list[float]] = {}
    for point in random_points(SPACE, MOST * trials, seed):
        curve = trained(point)
        halving = Halving(curve.steps[0])
        for rung in halving.rungs(curve.steps[-1]):
            cut = curve.upto(rung)
            scores.setdefault(rung, []).append(cut.losses[-1])
            if not halving.goes_on(cut.losses[-1], scores[rung]):
                curve = cut
                break
        yield curve


METHODS: dict[str, Callable[[Trainer, int, int], Iterator[Curve]]] = {
    "random": at_random,
    "latin_hypercube": in_hypercube,
    "bayesian": by_estimator,
    "random, halved": halved,
}


def measured(curves: Iterator[Curve], target: float, budget: int) -> Row:
    """Return the steps until the target was reached, the trials of the budget, and their lowest loss."""
    steps, trials, reached, best = 0, 0, None, math.inf
    for curve in curves:
        if steps + curve.steps[-1] > budget:
            break
        trials += 1
        for at, loss in zip(curve.steps, curve.losses, strict=True):
            best = min(best, loss)
            if reached is None and loss <= target:
                reached = steps + at
        steps += curve.steps[-1]
    return reached, trials, best


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return a 95 % interval of the geometric mean, by bootstrap over the searches."""
    generator = np.random.Generator(np.random.Philox(0))
    logs = np.log(ratios)
    means = np.exp(generator.choice(logs, (10_000, len(logs))).mean(axis=1))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def told(name: str, rows: Sequence[Row], base: Sequence[Row], budget: int) -> str:
    """Say how a method did. A search that did not reach the target counts as if its whole budget had."""
    spent = [reached or budget for reached, _, _ in rows]
    ratios = [mine / (theirs[0] or budget) for mine, theirs in zip(spent, base, strict=True)]
    low, high = interval(ratios)
    return (
        f"{name}: reached by {sum(row[0] is not None for row in rows)} of {len(rows)};"
        f" median steps {median(spent):,.0f}; trials {median(row[1] for row in rows):g};"
        f" median best loss {median(row[2] for row in rows):.4f};"
        f" steps against random {math.exp(float(np.mean(np.log(ratios)))):.2f} ({low:.2f} to {high:.2f})"
    )


def main() -> None:
    """Measure and print a line a method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=20)
    parser.add_argument("--trials", type=int, default=27)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    trained = Trainer()
    pool = [trained(point) for point in random_points(SPACE, 100, 10**6)]
    target = float(np.quantile([min(curve.losses) for curve in pool], 0.05))
    budget = options.trials * max(curve.steps[-1] for curve in pool)
    print(f"target: validation loss {target:.4f}, which 5 of 100 random trials reach; {budget:,} steps each")
    found = {
        name: [
            measured(method(trained, seed, options.trials), target, budget)
            for seed in range(options.searches)
        ]
        for name, method in METHODS.items()
    }
    for name, rows in found.items():
        print(told(name, rows, found["random"], budget))
    if options.out:
        options.out.write_text(json.dumps({"target": target, "rows": found}))


if __name__ == "__main__":
    main()
