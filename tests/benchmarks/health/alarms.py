"""What a detector says of a run, ours or a peer's, in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlab.health.events import EventKind, Severity
from nnlab.health.suppression import RANKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nnlab.health.monitor import Advice, AlertEvent


@dataclass(frozen=True)
class Alarm:
    """One alert of a run, or one rule of a peer that has fired; peers' alarms stay.

    Args:
        step: since which it is at warning or above without a break, up to the end; else where it opened.
        stays: whether it is open at the end, at warning or above.
        warned: whether it ever was at warning or above.
        reopened: how often it opened again after a resolve.
    """

    rule: str
    step: int
    stays: bool = True
    warned: bool = True
    layers: tuple[int, ...] = ()
    reopened: int = 0
    advice: tuple[Advice, ...] = ()


def of_events(events: Sequence[AlertEvent]) -> list[Alarm]:
    """Sum the events of each alert up, causes first."""
    checks = dict.fromkeys(event.check for event in events)
    found = [_of_check([event for event in events if event.check == check]) for check in checks]
    return sorted(found, key=lambda alarm: RANKS.index(alarm.rule))


def _of_check(events: Sequence[AlertEvent]) -> Alarm:
    since: int | None = None
    warned, is_open, reopened = False, False, 0
    for event in events:
        reopened += event.kind is EventKind.UPDATE and not is_open
        is_open = event.kind is not EventKind.RESOLVE
        is_loud = is_open and event.severity is not Severity.INFO
        warned |= is_loud
        since = (event.step if since is None else since) if is_loud else None
    last = events[-1]
    step = events[0].step if since is None else since
    return Alarm(last.check, step, since is not None, warned, last.layers, reopened, last.advice)


# Checks of ours that say the same as a rule of theirs.
SAME: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("vanishing", "vanishing gradient"), ("vanishing", "forward_collapse")),
    **dict.fromkeys(("exploding", "exploding gradient", "exploding tensor", "not a number", "ended early",
                     "diverging weights"), ("nonfinite", "exploding", "divergence")),
    **dict.fromkeys(("dying", "dead ReLU", "dead nodes", "dead layer", "all zero"),
                    ("dead_layer", "dying_units", "born_dead")),
    **dict.fromkeys(("saturated", "saturated activation", "saturated layer"), ("saturated",)),
    **dict.fromkeys(("slow", "loss not decreasing", "loss not improving", "loss stagnates",
                     "accuracy unchanged", "no better than a constant"), ("slow", "plateau", "not_learning")),
    **dict.fromkeys(("weight update ratio", "update scale", "learning rate", "unchanged weights",
                     "unchanged tensor"), ("update_ratio",)),
    "oscillating": ("oscillation",),
    "input range": ("unscaled_data",),
    "dropout": ("dropout",),
    **dict.fromkeys(("missing softmax", "out of range"), ("output_mismatch",)),
    "missing activation": ("linear_collapse",),
    "poor initialisation": ("symmetry",),
    **dict.fromkeys(("overfit", "overfitting"), ("overfitting",)),
}  # fmt: skip

# Every check that can be a cause belongs to one kind.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("nonfinite", "exploding", "divergence", "oscillation"), "unstable"),
    **dict.fromkeys(("dead_layer", "born_dead", "dying_units"), "dead"),
    **dict.fromkeys(("vanishing", "forward_collapse", "saturated"), "vanishing"),
    **dict.fromkeys(("update_ratio", "plateau", "not_learning"), "slow"),
    **dict.fromkeys(("unscaled_data", "class_balance", "leak"), "data"),
    **dict.fromkeys(("symmetry", "output_mismatch", "linear_collapse", "dropout"), "configuration"),
}


def named(alarms: Sequence[Alarm]) -> set[str]:
    """Give the checks that a peer's alarms stand for, all of them: it has no order of causes."""
    return {check for alarm in alarms for check in SAME.get(alarm.rule, ())}


def first_that_stays(alarms: Sequence[Alarm]) -> Alarm | None:
    """Give the earliest alarm that is open at the end."""
    return min((alarm for alarm in alarms if alarm.stays), key=lambda alarm: alarm.step, default=None)


def highest(alarms: Sequence[Alarm]) -> Alarm | None:
    """Give the alarm that is open at the end and nearest to the root."""
    return next((alarm for alarm in alarms if alarm.stays), None)
