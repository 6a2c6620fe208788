"""What the monitor yields: events of alerts, and the words of verdicts and severities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnlab.health.patches import Advice


class Severity(StrEnum):
    """How bad it is: shown only, likely harm, or the run cannot succeed as configured."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class EventKind(StrEnum):
    """What happened to an alert. An update after a resolve opens the alert again."""

    OPEN = "open"
    UPDATE = "update"
    RESOLVE = "resolve"


@dataclass(frozen=True)
class AlertEvent:
    """One change of the one alert that a run has for a check.

    Args:
        step: step at which the event happened.
        first_step: step of the first observation that led to the opening.
        layers: indices of the layers concerned, forward order; may be empty.
        value: the deciding signal; NaN and infinity are possible, in ``evidence`` they are text.
        threshold: what ``value`` was compared with.
        evidence: JSON-ready numbers behind the verdict; ``reopened`` counts the openings after a resolve.
        advice: what to change, best first.
    """

    kind: EventKind
    check: str
    severity: Severity
    step: int
    first_step: int
    layers: tuple[int, ...]
    layer_names: tuple[str, ...]
    value: float
    threshold: float
    title: str
    cause: str
    evidence: Mapping[str, object]
    advice: tuple[Advice, ...]
    thresholds_hash: str


def json_value(value: object) -> object:
    """Give a value as JSON can hold it: NaN and the infinities become text, however deep they are."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, Mapping):
        return {name: json_value(item) for name, item in value.items()}
    return value
