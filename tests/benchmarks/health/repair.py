"""Whether advice helps: sick runs again with each change that was advised, and with others."""

from __future__ import annotations

import copy
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.data.errors import DataError
from nnlab.engine.errors import EngineError
from nnlab.health.advice import apply
from tests.benchmarks.health import outcomes
from tests.benchmarks.health.alarms import highest
from tests.benchmarks.health.datasets import DataUnknownError
from tests.benchmarks.health.replay import CORES, OURS
from tests.benchmarks.health.training import Run, info_of, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nnlab.engine.records import RunInfo
    from tests.benchmarks.health.replay import Row

TRIES = 3
MOST_COST = 10.0  # of the run's; what costs more is not tried and counts as no repair
# What an update costs beside its rows, in rows. Measured on digits with 64-32 units: batches of 32 instead of
# 1,437 rows are 45 times as many updates, which take 1.2 times as long; single rows take 12 times as long.
UPDATE = 10
Settings = dict[str, Any]
LIMITS = (EngineError, DataError, DataUnknownError)


def _set(**values: Any) -> Callable[[Settings], None]:
    return lambda config: config.update(values)


def _data(**values: Any) -> Callable[[Settings], None]:
    return lambda config: config["data"].update(values)


def _rate(factor: float) -> Callable[[Settings], None]:
    def change(config: Settings) -> None:
        config["learning_rate"] *= factor

    return change


def _longer(config: Settings) -> None:
    name = "steps" if config.get("steps") else "epochs"
    config[name] *= 5


# Single changes that mend something somewhere, to draw from.
CHANGES: dict[str, Callable[[Settings], None]] = {
    "ReLU": _set(activation="relu", initializer="he_uniform"),
    "rate / 10": _rate(0.1),
    "rate x 10": _rate(10),
    "Adam": _set(optimizer="adam", learning_rate=1e-3),
    "inputs scaled": _data(recipe="default"),
    "target scaled": _data(standardise_target=True),
    "clipped": _set(clip_norm=1.0),
    "output by task": _set(output_activation="auto", loss="auto"),
    "weights by activation": _set(initializer="auto"),
    "longer": _longer,
    "no dropout": _set(dropout=0.0),
    "no L2": _set(l2=0.0),
}
NORMALISED, TANH, ELU, LEAKY = (_set(batch_norm=True), _set(activation="tanh"), _set(activation="elu"),
                                _set(activation="leaky_relu"))  # fmt: skip
# AutoTrainer's order for each of its problems; ELU stands for SELU, which the engine has not.
THEIR_ORDER: dict[str, Sequence[Callable[[Settings], None]]] = {
    "vanishing": (ELU, CHANGES["ReLU"], NORMALISED),
    "exploding": (ELU, CHANGES["ReLU"], CHANGES["clipped"]),
    "dying": (ELU, NORMALISED, _set(initializer="he_uniform")),
    "oscillating": (CHANGES["Adam"], _rate(0.1), _set(schedule="reduce_on_plateau")),
    "slow": (CHANGES["Adam"], _rate(10), _set(initializer="he_uniform")),
}


@dataclass(frozen=True)
class Try:
    """One change made to a sick run.

    Args:
        code: of the advice, or the change's name.
        score: of the changed run; that of the sick run where the change cannot be made.
        cost: work of the changed run over that which the sick run had planned.
    """

    code: str
    score: float
    cost: float


@dataclass(frozen=True)
class Repair:
    """A sick run with what was tried, in order, until something helped or three had not.

    Args:
        place: of the first that helped, 1 to 3; 0 where none did.
        gain: of the best try.
    """

    case: str
    seed: int
    tries: tuple[Try, ...]
    place: int
    gain: float

    @property
    def cost(self) -> float:
        """Work of all tries over that of one run."""
        return sum(one.cost for one in self.tries)


def repairs(rows: Sequence[Row], bounds: Sequence[tuple[float, float]], source: str) -> list[Repair]:
    """Try to mend sick runs: with our advice, at random, or in AutoTrainer's order.

    Args:
        rows: of sick runs.
        bounds: what is sick and what is healthy, for each.
        source: ``nnlab``, ``random`` or ``autotrainer``.
    """
    with ProcessPoolExecutor(CORES) as pool:
        waiting = [
            pool.submit(_repair, row, limits, source) for row, limits in zip(rows, bounds, strict=True)
        ]
        return [one.result() for one in waiting]


def _repair(row: Row, bounds: tuple[float, float], source: str) -> Repair:
    score, tries = row.found[row.run.case.rule.statistic], []
    place = 0
    for number, (code, config) in enumerate(_configs(row, source)[:TRIES], start=1):
        tries.append(attempt(row, code, config, score))
        if helped(tries[-1].score, score, bounds):
            place = number
            break
    gain = max((one.score - score for one in tries), default=0.0)
    return Repair(row.run.case.id, row.run.seed, tuple(tries), place, gain)


def helped(after: float, before: float, bounds: tuple[float, float]) -> bool:
    """Say whether a change has mended a run: it is not sick any more, and at least 5 points better."""
    return outcomes.by_bounds(after, *bounds) != outcomes.SICK and after - before >= outcomes.POINTS


def _configs(row: Row, source: str) -> list[tuple[str, Settings]]:
    values = row.run.values
    if source == OURS:
        found = highest(row.said[OURS])
        advice = () if found is None else found.advice
        return [(one.code, apply(values, one.ops)) for one in advice]
    if source == "autotrainer":
        alarm = next(iter(row.said[source]), None)
        return [("", _changed(values, change)) for change in THEIR_ORDER.get(alarm.rule, ())] if alarm else []
    rng = np.random.default_rng(row.run.seed + int(row.run.case.key[:8], 16))
    changed = [(name, _changed(values, change)) for name, change in CHANGES.items()]
    useful = [(name, config) for name, config in changed if config != values]
    return [useful[i] for i in rng.permutation(len(useful))]


def _changed(values: Settings, change: Callable[[Settings], None]) -> Settings:
    config = copy.deepcopy(values)
    change(config)
    return config


def attempt(row: Row, code: str, config: Settings, score: float) -> Try:
    """Train a run anew with a changed configuration.

    Args:
        score: of the run as it was, which stands where the change cannot be made or costs too much.
    """
    data, seed = config.pop("data"), config.pop("seed")
    case = replace(row.run.case, training=config, data=data)
    run = Run(case, seed)
    try:
        cost = work(info_of(run)) / work(info_of(row.run))
        if cost > MOST_COST:
            return Try(code, score, 0.0)
        return Try(code, outcomes.scores(records_of(run), case.rule.metric)[case.rule.statistic], cost)
    except LIMITS:
        return Try(code, score, 0.0)


def work(info: RunInfo) -> float:
    """Give what a run costs: the rows that pass through the network, and what updates cost beside them."""
    return float(info.steps * (min(info.batch_size, info.train_rows) + UPDATE))
