"""What a check answers, and what a check is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nnlab.health.events import Severity
    from nnlab.health.signals import Reading, Signals
    from nnlab.health.thresholds import Limits


class Verdict(StrEnum):
    """Beyond the open threshold, beyond the clear threshold, between the two, or signal undefined."""

    HIT = "hit"
    SAFE = "safe"
    NEUTRAL = "neutral"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Result:
    """The answer of one check on one reading.

    Args:
        layers: the layers concerned, forward order.
        severity: overrides the check's own, unless progress eases the check.
    """

    verdict: Verdict
    value: float
    threshold: float
    layers: tuple[int, ...] = ()
    severity: Severity | None = None


@dataclass(frozen=True)
class Explanation:
    """A finding in words and numbers, for people who are learning.

    Args:
        formula: what ``value`` is and what it was compared with.
        numbers: evidence of this check, by name; may hold NaN and infinities.
    """

    title: str
    cause: str
    formula: str
    numbers: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A check as the monitor needs it.

    Args:
        judge: pure function of what was read so far and of the check's limits.
        explain: words for a result that is a hit or was one.
        severity: of an alert without further knowledge.
        stuck_severity: where the run is no better than its baseline.
        eases: whether progress of the run brings an alert down to info.
    """

    id: str
    readings: frozenset[Reading]
    judge: Callable[[Signals, Limits], Result]
    explain: Callable[[Signals, Limits, Result], Explanation]
    severity: Severity
    stuck_severity: Severity
    eases: bool = True


UNKNOWN = Result(Verdict.UNKNOWN, float("nan"), float("nan"))
