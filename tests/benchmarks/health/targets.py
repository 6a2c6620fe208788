"""What the alerts commit to, figure by figure."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Any

from scipy.stats import binom

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Found = dict[str, Any]
Figure = tuple[float, float, float]
OURS = "nnlab"
CHANCE = 0.01


@dataclass(frozen=True)
class Target:
    """A figure of one suite and its bound.

    Args:
        value: takes it from a suite's results; None where there is none.
        is_most: the bound may not be exceeded; else it has to be reached.
        peer: the best that is known of others.
        is_share: of runs, so that the quick benchmark can judge it.
    """

    title: str
    suite: str
    value: Callable[[Found], Figure | float | None]
    bound: float
    is_most: bool = False
    peer: str = "–"
    is_share: bool = False

    def is_met(self, value: float) -> bool:
        """Say whether a figure is as it should be."""
        return value <= self.bound if self.is_most else value >= self.bound

    def is_clearly_missed(self, value: float, configurations: int) -> bool:
        """Say whether a share misses its bound by more than sampling configurations explains.

        Configurations are taken as independent, not their runs: with alerts that are just as good as the
        bound, as many wrong ones or more must be rarer than one in a hundred. A bound of 0 or 1 leaves
        nothing to chance.
        """
        if self.bound in {0.0, 1.0}:
            return not self.is_met(value)
        wrong, allowed = (value, self.bound) if self.is_most else (1 - value, 1 - self.bound)
        count = floor(wrong * configurations + 1e-9)
        return not self.is_met(value) and bool(binom.sf(count - 1, configurations, allowed) < CHANCE)


def _of(name: str) -> Callable[[Found], Any]:
    return lambda found: found["detectors"][OURS][name]


def _detail(name: str) -> Callable[[Found], Any]:
    return lambda found: found["details"][name]


def _problems(*names: str, figure: str = "median_epoch") -> Callable[[Found], Any]:
    def value(found: Found) -> float | None:
        kinds: Mapping[str, Any] = found["details"]["problems"]
        told = [kinds[name][figure] for name in names if name in kinds and kinds[name][figure] is not None]
        return max(told, default=None)

    return value


def _cause(found: Found) -> float | None:
    right, named = found["details"]["cause_right"]
    return right / named if named else None


def _programs(found: Found) -> float | None:
    """Give the share of the programs of whose sick runs more than half have their cause named."""
    told = (found["details"].get("programs") or {}).get("cause")
    return sum(2 * right > sick for right, sick in told.values()) / len(told) if told else None


def _fixed(found: Found) -> float | None:
    alarmed, healthy = (found["details"].get("programs") or {}).get("fixed_healthy", (0, 0))
    return alarmed / healthy if healthy else None


def _static(name: str) -> Callable[[Found], Any]:
    def value(found: Found) -> float | None:
        hits, of = found["details"]["static"][name]
        return hits / of if of else None

    return value


def _repaired(places: int) -> Callable[[Found], Any]:
    def value(found: Found) -> float | None:
        told = found.get("repair", {}).get(OURS)
        return None if not told or not told["runs"] else sum(told["places"][:places]) / told["runs"]

    return value


def _cost(found: Found) -> float | None:
    told = found.get("repair", {}).get(OURS)
    return told["cost"] if told else None


TARGETS = (
    Target("recall", "A", _of("recall"), 0.99, peer=".986", is_share=True),
    Target("false alarms", "A", _of("false_alarms"), 0.01, is_most=True, peer=".034", is_share=True),
    Target("first alarm of non-finite, dead and vanishing, median epoch of 300, worst kind", "A",
           _problems("exploding_gradient", "dying_relu", "vanishing_gradient"), 3, is_most=True, peer="87"),
    Target("alerts of a healthy run", "A", _detail("alerts_per_healthy_run"), 0.1, is_most=True),
    Target("flaps of a run", "A", _detail("flaps_per_run"), 0.05, is_most=True),
    Target("repaired by the first three advices", "A", _repaired(3), 0.9, peer=".82"),
    Target("cost of that, in runs", "A", _cost, 2.0, is_most=True, peer="2.4 to 2.8"),
    Target("detected by step 8 with hidden 3 named and ReLU advised first", "quiz", _detail("quiz"), 1.0,
           peer="0", is_share=True),
    Target("controls with an alarm", "controls", _of("false_alarms"), 0.0, is_most=True, is_share=True),
    Target("detected", "B", _of("recall"), 0.95, peer=".94", is_share=True),
    Target("cause right, of the detected runs", "B", _cause, 0.75, peer=".63"),
    Target("programs with the category right, of those that end sick", "B", _programs, 0.75),
    Target("false alarms on the fixed versions that end healthy", "B", _fixed, 0.1, is_most=True),
    Target("false alarms", "B", _of("false_alarms"), 0.1, is_most=True, is_share=True),
    Target("recall", "C", _of("recall"), 0.99, is_share=True),
    Target("first alarm where the rate is too small, median share of the budget", "C",
           _problems("rate x 0.01", "rate x 0.001", figure="median_share"), 0.1, is_most=True, peer=".29"),
    Target("faults that show before training, told then", "C", _static("recall"), 0.8, peer=".705"),
    Target("alarms before training that are right", "C", _static("precision"), 1.0, peer="1.0"),
    Target("repaired by the first three advices", "C", _repaired(3), 0.9, peer=".82"),
    Target("cost of that, in runs", "C", _cost, 2.0, is_most=True, peer="2.4 to 2.8"),
    Target("hard healthy runs with an alarm at the end", "D", _of("false_alarms"), 0.02, is_most=True,
           is_share=True),
    Target("flaps of a run", "D", _detail("flaps_per_run"), 0.05, is_most=True),
    Target("alerts of a healthy run", "D", _detail("alerts_per_healthy_run"), 0.1, is_most=True),
    Target("recall", "E", _of("recall"), 0.99, is_share=True),
    Target("false alarms", "E", _of("false_alarms"), 0.02, is_most=True, is_share=True),
)  # fmt: skip
