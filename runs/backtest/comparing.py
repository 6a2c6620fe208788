"""Stored alerts against those that other thresholds would have raised, by how the runs ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from nnlab.health.checks.catalogue import CHECKS
from nnlab.health.events import AlertEvent
from nnlab.health.suppression import causes_of
from nnlab.health.thresholds import Thresholds
from runs.backtest.outcomes import Outcome, outcomes
from runs.backtest.replaying import Replay, Replayer
from runs.models import Alert, Run, Source
from runs.models.runs import OVER, RunQuerySet
from runs.training.rebuilding import NotRebuiltError

HARMFUL = ("warning", "critical")
USUAL_RUNS = 100


@dataclass(frozen=True)
class Raised:
    """An alert as it stood last: severity, and the step at which it opened."""

    severity: str
    step: int


Alarms = Mapping[str, Raised]  # by check


@dataclass(frozen=True)
class Compared:
    """One run.

    Args:
        stored: its alerts.
        replayed: those of the other thresholds.
        unjudged: checks left out of both, since what they read is not stored, or they wait for one of those.
    """

    run: Run
    outcome: Outcome
    stored: Alarms
    replayed: Alarms
    unjudged: frozenset[str]

    @property
    def new(self) -> list[str]:
        """The checks that would have raised an alert of warning or above, and did not."""
        return [
            check
            for check in self.replayed
            if is_harmful(self.replayed, check) > is_harmful(self.stored, check)
        ]

    @property
    def gone(self) -> list[str]:
        """The checks that did, and would not have."""
        return [
            check
            for check in self.stored
            if is_harmful(self.stored, check) > is_harmful(self.replayed, check)
        ]

    @property
    def moved(self) -> list[str]:
        """The checks whose alert would have opened at another step, or ended more or less severe."""
        both = self.stored.keys() & self.replayed.keys() - {*self.new, *self.gone}
        return [
            check.id
            for check in CHECKS
            if check.id in both and self.stored[check.id] != self.replayed[check.id]
        ]

    @property
    def differs(self) -> bool:
        """Whether anything of this is so."""
        return bool(self.new or self.gone or self.moved)


@dataclass(frozen=True)
class Tally:
    """Alerts of warning and above of one check, or of any.

    Args:
        runs: that had one.
        failed: of those, the runs that failed.
        fine: of those, the runs that did not.
        shares: of the steps asked for that had passed when each opened.
    """

    runs: int = 0
    failed: int = 0
    fine: int = 0
    shares: Sequence[float] = ()

    @property
    def precision(self) -> float | None:
        """Share of failures among the runs with an alert whose outcome is known."""
        known = self.failed + self.fine
        return self.failed / known if known else None

    @property
    def share(self) -> float | None:
        """The median of ``shares``."""
        return median(self.shares) if self.shares else None


@dataclass(frozen=True)
class Row:
    """One line of the table: a check, or all of them (the empty name)."""

    check: str
    stored: Tally
    replayed: Tally
    unjudged: int


@dataclass
class Report:
    """A backtest.

    Args:
        skipped: runs that cannot be replayed, and why.
        left: runs for which there was no time.
    """

    thresholds_hash: str
    runs: list[Compared] = field(default_factory=list)
    skipped: list[tuple[Run, str]] = field(default_factory=list)
    left: int = 0

    @property
    def failed(self) -> int:
        """How many of the runs failed."""
        return sum(one.outcome.failed is True for one in self.runs)

    @property
    def undecided(self) -> int:
        """Of how many runs nobody can say whether they failed."""
        return sum(one.outcome.failed is None for one in self.runs)

    @property
    def different(self) -> list[Compared]:
        """The runs whose alerts would have been others."""
        return [one for one in self.runs if one.differs]

    @property
    def total(self) -> Row:
        """The line of all checks together."""
        return Row("", self._tally("stored", None), self._tally("replayed", None), 0)

    @property
    def rows(self) -> list[Row]:
        """The lines of the checks that raised something, or could not be judged in some run."""
        rows = [
            Row(
                check.id,
                self._tally("stored", check.id),
                self._tally("replayed", check.id),
                sum(check.id in one.unjudged for one in self.runs),
            )
            for check in CHECKS
        ]
        return [row for row in rows if row.stored.runs or row.replayed.runs or row.unjudged]

    def _tally(self, side: str, check: str | None) -> Tally:
        found = []
        for one in self.runs:
            alarms: Alarms = getattr(one, side)
            steps = [
                alarms[name].step for name in alarms if check in {None, name} and is_harmful(alarms, name)
            ]
            if steps:
                found.append((one, min(steps)))
        return Tally(
            runs=len(found),
            failed=sum(one.outcome.failed is True for one, _ in found),
            fine=sum(one.outcome.failed is False for one, _ in found),
            shares=[step / one.run.steps_requested for one, step in found if one.run.steps_requested],
        )


def is_harmful(alarms: Alarms, check: str) -> bool:
    """Whether there is an alert of a check, and it is more than of interest."""
    return check in alarms and alarms[check].severity in HARMFUL


def candidates(project: str | None = None) -> RunQuerySet:
    """Choose the runs that a backtest can be about, the newest first: our own engine's that are over."""
    runs = Run.objects.kept().filter(source=Source.ENGINE, status__in=OVER).order_by("-pk")
    return runs if project is None else runs.filter(project__slug=project)


def backtest(
    runs: RunQuerySet,
    thresholds: Thresholds,
    *,
    seconds: float | None = None,
    on_run: Callable[[], object] = lambda: None,
) -> Report:
    """Replay runs under thresholds and compare what is raised with what is stored.

    Args:
        seconds: after which no further run is begun.
        on_run: called after each run.
    """
    until = None if seconds is None else monotonic() + seconds
    chosen = list(runs.select_related("project"))
    ended = outcomes(chosen)
    stored = _stored(chosen)
    replayer = Replayer(thresholds)
    report = Report(thresholds.hash)
    for place, run in enumerate(chosen):
        if until is not None and monotonic() > until:
            report.left = len(chosen) - place
            break
        try:
            replay = replayer.replay(run)
        except NotRebuiltError as error:
            report.skipped.append((run, str(error)))
        else:
            report.runs.append(_compared(run, ended[run.pk], stored.get(run.pk, {}), replay))
        on_run()
    return report


def _compared(run: Run, outcome: Outcome, stored: Alarms, replay: Replay) -> Compared:
    """Compare what can be judged: neither what is not stored, nor what waited for an alert of that."""
    roots = {check for check in replay.unjudged if is_harmful(stored, check)}
    explained = {check.id for check in CHECKS if roots.intersection(causes_of(check.id))}
    unjudged = replay.unjudged | explained
    before, after = (
        {check: one for check, one in alarms.items() if check not in unjudged}
        for alarms in (stored, _last(replay.events))
    )
    return Compared(run, outcome, before, after, unjudged)


def _last(events: Iterable[AlertEvent]) -> dict[str, Raised]:
    """Say how each alert stood last, as it would be stored."""
    found: dict[str, Raised] = {}
    for event in events:
        step = found[event.check].step if event.check in found else event.step
        found[event.check] = Raised(event.severity.value, step)
    return found


def _stored(runs: Iterable[Run]) -> dict[int, dict[str, Raised]]:
    found: dict[int, dict[str, Raised]] = {}
    alerts = Alert.objects.filter(run__in=[run.pk for run in runs])
    for run_id, check, severity, step in alerts.values_list("run_id", "check_id", "severity", "opened_step"):
        found.setdefault(run_id, {})[check] = Raised(severity, step)
    return found
