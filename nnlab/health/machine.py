"""The state machine of one alert: when it opens, changes, resolves and opens again."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from nnlab.health.events import EventKind, Severity
from nnlab.health.results import Check, Result, Verdict
from nnlab.health.signals import Reading

if TYPE_CHECKING:
    from nnlab.health.signals import Signals
    from nnlab.health.thresholds import Limits

HISTORY = 20
PAUSES_OF_A_RUN = 10  # so far


class Machine:
    """One check's alert in one run: ok, suspect, open or resolved.

    It opens on ``n_open`` hits among the last ``m`` results and resolves on ``n_clear`` safe ones in a row.
    Results that are unknown count for nothing.

    Args:
        limits: the check's ``n_open``, ``m`` and ``n_clear``.
        shared: ``update_gap_results`` and ``value_factor``, the same for all machines.
        pause: least steps between two updates that tell nothing new, which are further apart later on.
        worst: the severity that is not exceeded, whatever happens.
    """

    def __init__(
        self,
        check: Check,
        limits: Limits,
        shared: Limits,
        pause: int,
        worst: Severity = Severity.CRITICAL,
    ) -> None:
        self._check, self._limits, self._shared, self._pause = check, limits, shared, pause
        self._worst = worst
        self._window: deque[tuple[int, float, bool]] = deque(maxlen=int(limits["m"]))
        self._safe_in_a_row = 0
        self._since_event = 0
        self._last_event = 0
        self._told = Result(Verdict.UNKNOWN, math.nan, math.nan)
        self._told_layers: tuple[int, ...] = ()
        self.is_open = False
        self.waiting = False
        self.openings = 0
        self.first_step = 0
        self.severity = check.severity
        self.result = self._told
        self.layers: tuple[int, ...] = ()
        self.history: list[tuple[int, float]] = []

    @property
    def explains(self) -> bool:
        """Whether findings below this one in rank wait for it."""
        return self.is_open and self.severity is not Severity.INFO

    @property
    def is_finding(self) -> bool:
        """Whether something harmful was found in the run, told or not, be it over or not."""
        return self.waiting or (self.openings > 0 and self.severity is not Severity.INFO)

    def feed(self, result: Result, signals: Signals, *, held: bool) -> EventKind | None:
        """Take the next result; return what happened to the alert, if anything.

        Args:
            result: the check's answer to this reading.
            signals: for the step, and for the progress that severity depends on.
            held: whether a cause is open, so that this finding waits instead of opening.
        """
        if result.verdict is Verdict.UNKNOWN:
            return None
        if self.is_open:
            return self._go_on(result, signals)
        return self._consider(result, signals, held=held)

    def review(self, signals: Signals) -> EventKind | None:
        """Judge the severity of an open finding that is not looked for again, by the run's progress alone."""
        if not self.explains:
            return None
        severity = self._judge_severity(replace(self.result, severity=None), signals)
        if severity is self.severity:
            return None
        self.severity = severity
        return self._tell(EventKind.UPDATE, self.result, signals)

    def forget(self) -> None:
        """Start counting hits anew: the cause that held this finding is gone."""
        self._window.clear()
        self.waiting = False

    def _consider(self, result: Result, signals: Signals, *, held: bool) -> EventKind | None:
        hit = result.verdict is Verdict.HIT
        self._window.append((signals.step, result.value, hit))
        if not hit and not held:
            self.waiting = False
            return None
        hits = [step for step, _, is_hit in self._window if is_hit]
        enough = len(hits) >= self._limits["n_open"]
        if enough and hit:
            self.result, self.layers = result, result.layers
            if not self.waiting and not self.openings:
                self.first_step = hits[0]
        self.waiting = enough and held
        if not (enough and hit) or held:
            return None
        self.is_open = True
        self.openings += 1
        self._safe_in_a_row = 0
        self.history += [(step, value) for step, value, _ in self._window]
        self._window.clear()
        self.severity = self._check.severity if result.severity is None else result.severity
        self.severity = self._judge_severity(result, signals)
        return self._tell(EventKind.OPEN if self.openings == 1 else EventKind.UPDATE, result, signals)

    def _go_on(self, result: Result, signals: Signals) -> EventKind | None:
        self._since_event += 1
        self._remember(signals.step, result.value)
        if result.verdict is Verdict.SAFE:
            self._safe_in_a_row += 1
            if self._safe_in_a_row < self._limits["n_clear"]:
                return None
            self.is_open = False
            self.result = result
            return self._tell(EventKind.RESOLVE, result, signals)
        self._safe_in_a_row = 0
        self.result = result
        self.layers = result.layers or self.layers  # between its thresholds a check may name none
        severity = self._judge_severity(result, signals)
        news = severity is not self.severity or self._is_news(result)
        self.severity = severity
        if news or signals.step - self._last_event >= max(self._pause, signals.step // PAUSES_OF_A_RUN):
            return self._tell(EventKind.UPDATE, result, signals)
        return None

    def _is_news(self, result: Result) -> bool:
        """Whether layers or the order of magnitude changed; not told more often than every few results."""
        if self._since_event < self._shared["update_gap_results"]:
            return False
        old, new = abs(self._told.value), abs(result.value)
        factor = self._shared["value_factor"]
        return self.layers != self._told_layers or new >= factor * old > 0 or old >= factor * new > 0

    def _judge_severity(self, result: Result, signals: Signals) -> Severity:
        """Judge, and stay below the ceiling."""
        return min(self._wanted_severity(result, signals), self._worst, key=tuple(Severity).index)

    def _wanted_severity(self, result: Result, signals: Signals) -> Severity:
        """Up where the run is stuck, down where it gets on; in between severity stays, so it cannot flap."""
        if self._check.eases and self._is_disproved(signals):
            return Severity.INFO
        if result.severity is not None:
            return max(result.severity, self.severity, key=tuple(Severity).index)
        return self._check.stuck_severity if signals.is_stuck else self.severity

    def _is_disproved(self, signals: Signals) -> bool:
        """Whether the run's progress speaks against the finding.

        A check that says before step 1 that the run cannot succeed is disproved by success alone.
        """
        is_verdict = self._check.severity is Severity.CRITICAL and Reading.START in self._check.readings
        return signals.succeeds if is_verdict else signals.eases

    def _tell(self, kind: EventKind, result: Result, signals: Signals) -> EventKind:
        self._told_layers = self.layers
        self._told, self._last_event, self._since_event = result, signals.step, 0
        return kind

    def _remember(self, step: int, value: float) -> None:
        """Keep 20 points: the opening window, then evenly in the logarithm of the step."""
        points = self.history
        points.append((step, value))
        if len(points) > HISTORY:
            inner = range(int(self._limits["m"]), len(points) - 1)
            del points[min(inner, key=lambda i: points[i + 1][0] / max(points[i - 1][0], 1))]
