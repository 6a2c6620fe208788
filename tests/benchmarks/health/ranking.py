"""Which change mends what: faults put into other networks than the suites', and every change tried on each.

``python -m tests.benchmarks.health.ranking`` trains for half an hour and prints what advice is ranked by: for
each finding that stands highest at the end, how many of its sick runs each change alone mends. Nothing here
is a suite's: other sets, widths, depths and optimizers, and faults in networks of 4 to 14 narrow layers.

Measured on 582 sick runs, of which 572 were found: the first advice mended 523 of those (91 %), one of the
first three 548 (96 %). The ranking was chosen on four of the five parts; on part 2, seen afterwards, it was
101 (92 %) and 104 (95 %) of 110. Then A1 joined what is advised on plateaus. What mended most, by finding:

born_dead (11)            A8, A11 and A16 10, A7 7, A15 6
constant_prediction (21)  A7 9 of 19, A26 9 of 9, A14 7 of 8, A5 4, A3 3
dead_layer (52)           A5 32, A7 31, A3 28, A11 26, A2 17 of 18, A8 16 of 32, A20 6
dying_units (15)          A3 13, A5 12, A7 9 of 13, A8 5 of 7, A11 3
nonfinite (88)            A1 54 of 60, A5 33, A3 23, A7 22, A6 14, A12 none
plateau (12)              A1 9, A2 3 of 3, A26 3 of 3
slow (56)                 A17 37, A4 35 of 52, A5 24, A16 19, A7 18, A19 6 of 6
symmetry (57)             A2 57
update_ratio (53)         A5 49, A4 48, A17 11
vanishing (137)           A7 108 of 135, A1 72 of 94, A5 54, A8 48 of 106, A2 31 of 31, A26 23 of 23
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nnlab.health.advice import RANKED, Case, apply
from nnlab.health.facts import describe_data
from nnlab.health.patches import PATCHES
from tests.benchmarks.health import faults, outcomes, repair, replay
from tests.benchmarks.health.alarms import highest
from tests.benchmarks.health.datasets import problem_of
from tests.benchmarks.health.faults import Fault, Parent, net
from tests.benchmarks.health.training import info_of, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.health.cases import Case as Configuration
    from tests.benchmarks.health.replay import Row

SEEDS = 3
OF_DATA = {"A22", "A23", "A24"}  # these mend files, and there is nothing wrong with ours
SELDOM = {"A6", "A12", "A15", "A18", "A20", "A21"}  # tried only where they are ranked
DIABETES = {"dataset": "diabetes", "standardise_target": True}
PARENTS = (
    Parent("spiral", {"dataset": "spiral"}, net([24, 24], "tanh", "adam", 5e-3, 16, 60), "binary", 400),
    Parent("penguins", {"dataset": "penguins"}, net([20], "relu", "adam", 3e-3, 16, 30), "multiclass", 270),
    Parent("xor", {"dataset": "xor"}, net([12] * 2, "relu", "momentum", 0.02, 32, 40), "binary", 400),
    Parent("cones", {"dataset": "reg-gauss"}, net([24] * 2, "relu", "adam", 5e-3, 32, 40), "regression", 960),
    Parent("ring", {"dataset": "circle"}, net([10] * 2, "elu", "adam", 5e-3, 32, 40), "binary", 400),
    Parent(
        "digits", {"dataset": "digits"}, net([48] * 4, "elu", "momentum", 0.01, 32, 12), "multiclass", 1437
    ),
    Parent("cancer", {"dataset": "breast_cancer"}, net([24, 12], "tanh", "sgd", 0.1, 32, 25), "binary", 455),
    Parent("moons", {"dataset": "moons"}, net([20] * 8, "elu", "adam", 2e-3, 32, 50), "binary", 400),
    Parent("wine", {"dataset": "wine"}, net([12] * 5, "tanh", "adam", 5e-3, 16, 40), "multiclass", 142),
    Parent("diabetes", DIABETES, net([24, 12], "tanh", "momentum", 0.01, 32, 40), "regression", 353),
    Parent(
        "iris", {"dataset": "iris"}, net([10] * 3, "leaky_relu", "rmsprop", 3e-3, 16, 50), "multiclass", 120
    ),
)


def _put(name: str, **changes: object) -> Fault:
    return Fault(name, lambda _parent, training, _data: training.update(changes), ())


FAULTS = (
    *(fault for fault in faults.FAULTS if fault.name != faults.PERMUTED),
    _put("10 sigmoid layers of 6", hidden_units=[6] * 10, activation="sigmoid"),
    _put("5 sigmoid layers", hidden_units=[32, 24, 16, 12, 10], activation="sigmoid"),
    _put("14 ReLU layers of 5", hidden_units=[5] * 14, activation="relu"),
    _put("7 exponential layers of 6", hidden_units=[6] * 7, activation="exponential"),
    _put("7 ReLU layers of 6, U(.05)", hidden_units=[6] * 7, activation="relu", initializer="uniform"),
    _put("8 sigmoid layers", hidden_units=[24] * 8, activation="sigmoid"),
    _put("6 tanh layers, N(.05)", hidden_units=[16] * 6, initializer="normal", activation="tanh"),
    _put("momentum .99", optimizer="momentum", momentum=0.99, learning_rate=0.1),
    _put("L1 .1", l1=0.1),
    _put("ReLU, sgd 1", activation="relu", learning_rate=1.0, optimizer="sgd"),
    _put("ReLU, Adam .3", activation="relu", learning_rate=0.3, optimizer="adam"),
    _put("sgd .0001", optimizer="sgd", learning_rate=1e-4),
)


@dataclass(frozen=True)
class Tried:
    """A sick run: what stands highest, which changes are advised first, and which of all mend it."""

    check: str
    advised: tuple[str, ...]
    mends: dict[str, bool]

    @property
    def place(self) -> int:
        """Of the first advice that mends it, 0 where none of the first three does."""
        first = (n for n, code in enumerate(self.advised[: repair.TRIES], start=1) if self.mends.get(code))
        return next(first, 0)


def configurations(part: int, parts: int) -> list[Configuration]:
    """Give the networks, and a part of all pairs of one of them and a fault."""
    found = [faults.parent_case(parent) for parent in PARENTS]
    for row, parent in enumerate(PARENTS):
        chosen = [fault for column, fault in enumerate(FAULTS) if (row + column) % parts == part]
        found += [faults.faulted(parent, fault) for fault in chosen if fault.fits(parent)]
    return [replace(case, seeds=SEEDS) for case in found]


def measure(cases: Sequence[Configuration]) -> tuple[int, list[Tried]]:
    """Count the sick runs, and try every change on those that are found to be."""
    rows = replay.replay_all(runs_of(cases), peer_seeds=0)
    bounds = [replay.bounds_of(rows, row) for row in rows]
    sick = [each for each in zip(rows, bounds, strict=True) if _is_sick(*each)]
    with ProcessPoolExecutor(replay.CORES) as pool:
        found = pool.map(_tried, *zip(*sick, strict=True))
        return len(sick), [one for one in found if one is not None]


def _is_sick(row: Row, bounds: tuple[float, float]) -> bool:
    return outcomes.by_bounds(row.found[row.run.case.rule.statistic], *bounds) == outcomes.SICK


def _tried(row: Row, bounds: tuple[float, float]) -> Tried | None:
    found = highest(row.said[replay.OURS])
    if found is None:
        return None
    values, score = row.run.values, row.found[row.run.case.rule.statistic]
    case = Case(
        config=values,
        info=info_of(row.run),
        facts=describe_data(problem_of(row.run.case.data)),
        check=found.rule,
    )
    ops = {advice.code: advice.ops for advice in found.advice}
    for code, patch in PATCHES.items():
        advice = patch(case) if code not in ops and _is_tried(code, found.rule) else None
        ops |= {} if advice is None else {code: advice.ops}
    tries = {code: repair.attempt(row, code, apply(values, each), score) for code, each in ops.items()}
    mends = {code: repair.helped(one.score, score, bounds) for code, one in tries.items()}
    return Tried(found.rule, tuple(advice.code for advice in found.advice), mends)


def _is_tried(code: str, check: str) -> bool:
    return code not in OF_DATA | SELDOM or code in RANKED[check]


def table(tried: Iterable[Tried]) -> str:
    """Tell for each finding which changes mended how many of its runs, best first."""
    by_check: dict[str, list[Tried]] = defaultdict(list)
    for one in tried:
        by_check[one.check].append(one)
    lines = []
    for check, runs in sorted(by_check.items()):
        codes = sorted({code for run in runs for code in run.mends}, key=lambda code: int(code[1:]))
        counts = {code: [run.mends[code] for run in runs if code in run.mends] for code in codes}
        best = sorted(codes, key=lambda code: -sum(counts[code]))
        told = [f"{code} {sum(counts[code])}/{len(counts[code])}" for code in best if any(counts[code])]
        lines.append(f"{check} ({len(runs)}): {', '.join(told)}")
    return "\n".join(lines)


def main(parts: int = 5) -> None:
    """Try all parts, one after another."""
    everything: list[Tried] = []
    for part in range(parts):
        sick, tried = measure(configurations(part, parts))
        first, three = (sum(0 < one.place <= most for one in tried) for most in (1, repair.TRIES))
        print(f"part {part}: {sick} sick, {len(tried)} found, {first} mended by one advice, {three} by three")
        everything += tried
    print(table(everything))


if __name__ == "__main__":
    main()
