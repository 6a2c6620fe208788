"""The monitor of one run: engine records in, events of alerts out."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from nnlab.engine.records import Evaluation, NonFinite, Records, RunInfo, Sample
from nnlab.health.advice import advise
from nnlab.health.checks.catalogue import CHECKS
from nnlab.health.events import AlertEvent, EventKind, Severity, json_value
from nnlab.health.machine import Machine
from nnlab.health.patches import Advice, Case
from nnlab.health.results import UNKNOWN, Check, Explanation, Verdict
from nnlab.health.signals import Reading, Signals
from nnlab.health.suppression import causes_of
from nnlab.health.thresholds import THRESHOLDS, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nnlab.health.facts import DataFacts
    from nnlab.health.thresholds import Limits

    _Item = tuple[int, Reading, NonFinite | Sample | Evaluation | None]

# Their thresholds are not calibrated for deltas at the outputs of batch normalisation.
NOT_CALIBRATED_FOR_BATCH_NORM = ("vanishing", "update_ratio")

__all__ = ["Advice", "AlertEvent", "EventKind", "Monitor", "Severity"]


class Monitor:
    """Watch one run. The same records give the same events, however they are cut into chunks.

    Args:
        config: the run's training config in plain values, with its data config under ``data`` where known;
            advice and the checks that need no training read it.
        facts: of the examples; without them the checks of data are silent.
    """

    def __init__(
        self,
        info: RunInfo,
        config: Mapping[str, object],
        thresholds: Thresholds = THRESHOLDS,
        facts: DataFacts | None = None,
    ) -> None:
        self._info = info
        self._config = config
        self._thresholds = thresholds
        self._signals = Signals(info, thresholds, config, facts)
        self._machines = {check.id: self._machine(check) for check in CHECKS}
        self._next_window = self._signals.window_at(0)
        self._explaining: set[str] = set()  # the causes that findings below them wait for
        self._explanations: dict[str, Explanation] = {}
        self._told_children: dict[str, list[str]] = {}
        self._is_closed = False
        self._asked = {
            reading: [
                (check, self._machines[check.id], thresholds.checks[check.id])
                for check in CHECKS
                if reading in check.readings or _is_reviewed(check, reading)
            ]
            for reading in Reading
        }

    def _machine(self, check: Check) -> Machine:
        limits, shared = self._thresholds.checks[check.id], self._thresholds.machine
        is_vague = self._config.get("batch_norm") and check.id in NOT_CALIBRATED_FOR_BATCH_NORM
        worst = Severity.INFO if is_vague else Severity.CRITICAL
        return Machine(check, limits, shared, self._signals.t_min, worst)

    def start(self) -> list[AlertEvent]:
        """Judge what is known before step 1; return what happened to alerts."""
        return self._ask(Reading.START)

    def observe(self, records: Records) -> list[AlertEvent]:
        """Read the next chunk; return what happened to alerts, in order.

        Raises:
            ValueError: if the chunk does not begin where the last one ended.
        """
        expected = self._signals.step + 1
        if records.first_step != expected:
            raise ValueError(
                f"expected records from step {expected}, got {records.first_step}; none may be left out"
            )
        events: list[AlertEvent] = []
        signals = self._signals
        signals.read(records.losses, records.gradient_norms, records.learning_rates)
        brief = [evaluation for evaluation in records.evaluations if evaluation.is_brief]
        for step, reading, item in _in_order(records, self._windows(records.last_step)):
            self._take_brief(brief, before=step)
            signals.go_to(min(max(step, signals.step), records.last_step))
            self._take(item)
            events += self._ask(reading)
        self._take_brief(brief, before=records.last_step + 1)
        signals.go_to(records.last_step)
        return events

    def _take_brief(self, brief: list[Evaluation], *, before: int) -> None:
        """Take away the evaluations of loss and score alone that come before a step; no check is asked."""
        count = bisect_left(brief, before, key=attrgetter("step"))
        if count:
            self._signals.add_scores(brief[:count])
            del brief[:count]

    def _windows(self, last_step: int) -> list[int]:
        """The steps at which losses alone are looked at, up to a step."""
        steps = []
        while self._next_window <= last_step:
            steps.append(self._next_window)
            self._next_window += self._signals.window_at(self._next_window)
        return steps

    def close(self) -> list[AlertEvent]:
        """End the run: what can only be judged now, and causes whose list of symptoms has grown since."""
        if self._is_closed:
            return []
        self._is_closed = True
        events = self._ask(Reading.END)
        told = {event.check for event in events}
        for check in CHECKS:
            machine = self._machines[check.id]
            grown = self._children(check.id) and self._children(check.id) != self._told_children.get(check.id)
            if machine.is_open and grown and check.id not in told:
                events.append(self._event(check, EventKind.UPDATE))
        return events

    def _take(self, item: NonFinite | Sample | Evaluation | None) -> None:
        if isinstance(item, Sample):
            self._signals.add_sample(item)
        elif isinstance(item, Evaluation):
            self._signals.add_evaluation(item)
        elif item is not None:
            self._signals.add_nonfinite(item)

    def _ask(self, reading: Reading) -> list[AlertEvent]:
        """Ask the checks that this reading concerns, causes first."""
        self._signals.reading = reading
        events = []
        for check, machine, limits in self._asked[reading]:
            kind = self._ask_one(check, machine, limits)
            if kind is None:
                continue
            self._explaining = {name for name, machine in self._machines.items() if machine.explains}
            events.append(self._event(check, kind))
            if kind is EventKind.RESOLVE:
                self._release(check.id)
        return events

    def _ask_one(self, check: Check, machine: Machine, limits: Limits) -> EventKind | None:
        if self._signals.reading not in check.readings:
            return machine.review(self._signals)
        result = check.judge(self._signals, limits)
        if result is UNKNOWN:
            return None
        held = bool(self._explaining) and self._root_of(check.id) is not None
        return machine.feed(result, self._signals, held=held)

    def _release(self, cause: str) -> None:
        for check, machine in self._machines.items():
            if cause in causes_of(check):
                machine.forget()

    def _children(self, cause: str) -> list[str]:
        """The findings that wait for this cause: those that no open cause nearer to the root explains."""
        waiting = [check for check, machine in self._machines.items() if machine.waiting]
        return [check for check in waiting if self._root_of(check) == cause]

    def _root_of(self, check: str) -> str | None:
        return next((cause for cause in causes_of(check) if cause in self._explaining), None)

    def _event(self, check: Check, kind: EventKind) -> AlertEvent:
        machine = self._machines[check.id]
        result = machine.result
        if result.verdict is Verdict.HIT or check.id not in self._explanations:
            self._explanations[check.id] = check.explain(
                self._signals, self._thresholds.checks[check.id], result
            )
        explanation = self._explanations[check.id]
        self._told_children[check.id] = self._children(check.id)
        return AlertEvent(
            kind=kind,
            check=check.id,
            severity=machine.severity,
            step=self._signals.step,
            first_step=machine.first_step,
            layers=machine.layers,
            layer_names=tuple(self._info.layer_name(layer) for layer in machine.layers),
            value=result.value,
            threshold=result.threshold,
            title=explanation.title,
            cause=explanation.cause,
            evidence=self._evidence(machine, explanation, self._told_children[check.id]),
            advice=advise(check.id, self._case()),
            thresholds_hash=self._thresholds.hash,
        )

    def _evidence(self, machine: Machine, explanation: Explanation, children: list[str]) -> dict[str, object]:
        signals = self._signals
        evidence = {
            "formula": explanation.formula,
            **explanation.numbers,
            "value": machine.result.value,
            "q": signals.q,
            "average_loss": signals.losses.average,
            "baseline_loss": self._info.baseline_loss,
            "metric": signals.metric,
            "baseline_metric": self._info.baseline_metric,
            "learning_rate": self._config.get("learning_rate"),
            "largest_update_ratio": signals.largest_update,
            "history": [list(point) for point in machine.history],
            "reopened": max(machine.openings - 1, 0),
            "children": [self._child(check) for check in children],
        }
        return {name: json_value(value) for name, value in evidence.items()}

    def _child(self, check: str) -> dict[str, object]:
        machine = self._machines[check]
        return {
            "check": check,
            "value": machine.result.value,
            "layers": list(machine.layers),
            "first_step": machine.first_step,
        }

    def _case(self) -> Case:
        signals = self._signals
        return Case(
            config=self._config,
            info=self._info,
            facts=signals.facts,
            found=tuple(check for check, machine in self._machines.items() if machine.is_finding),
            first_update=signals.first_update,
            largest_update=signals.largest_update,
            is_short=self._info.steps < signals.t_min,
            is_born_dead=signals.is_born_dead,
            loss_has_risen=signals.loss_is_above_baseline
            and signals.losses.average
            > self._thresholds.checks["divergence"]["clear"] * signals.losses.first,
        )


def _is_reviewed(check: Check, reading: Reading) -> bool:
    """Whether a check that is asked before step 1 only has its severity judged again now."""
    return check.readings == {Reading.START} and reading is Reading.EVALUATION


def _in_order(records: Records, windows: Sequence[int]) -> Iterator[_Item]:
    """The chunk's readings by step; within a step in the order in which a step yields them."""
    items: list[_Item] = []
    if records.nonfinite is not None:
        items.append((records.nonfinite.step, Reading.NONFINITE, records.nonfinite))
    items += [(sample.step, Reading.SAMPLE, sample) for sample in records.samples]
    items += [(step, Reading.WINDOW, None) for step in windows]
    items += [(full.step, Reading.EVALUATION, full) for full in records.evaluations if not full.is_brief]
    return iter(sorted(items, key=itemgetter(0)))
