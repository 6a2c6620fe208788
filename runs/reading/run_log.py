"""The log of a run: its lines, with how each attempt began and ended in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from runs.models import Attempt, Level, LogLine, Outcome, Run

LEVELS = tuple(Level.values)  # from the least on
MAX_ATTEMPTS = 200  # the last ones
_TROUBLE = {Outcome.FAILED: Level.ERROR, Outcome.LOST: Level.WARNING}


@dataclass(frozen=True)
class Entry:
    """One line of a log."""

    at: datetime
    level: str
    text: str
    step: int | None = None

    def __str__(self) -> str:
        step = "" if self.step is None else f" step {self.step}"
        return f"{self.at:%Y-%m-%d %H:%M:%S}Z {self.level:<7}{step} {self.text}"


def read_log(run: Run, level: str = Level.INFO) -> list[Entry]:
    """Read the log of a run, oldest first.

    Lines are kept for the run, however many attempts it took; how an attempt began and ended is taken from
    the attempt itself, which is written in the transaction that changes the run.

    Args:
        level: the least; lines of lesser ones are left out.
    """
    wanted = LEVELS[LEVELS.index(level) :]
    rows = LogLine.objects.filter(run=run, level__in=wanted).order_by("number")
    said = [Entry(*row) for row in rows.values_list("said_at", "level", "text", "step")]
    attempts = list(run.attempts.order_by("-number")[:MAX_ATTEMPTS])[::-1]
    return sorted([*_told(attempts, wanted), *said], key=lambda entry: entry.at)


def _told(attempts: Iterable[Attempt], wanted: Sequence[str]) -> Iterator[Entry]:
    for attempt in attempts:
        who = attempt.process or "a program outside"
        begun = Entry(attempt.started_at, Level.INFO, f"attempt {attempt.number}: taken by {who}")
        ended = [] if attempt.ended_at is None else [_ending(attempt, attempt.ended_at)]
        yield from (entry for entry in (begun, *ended) if entry.level in wanted)


def _ending(attempt: Attempt, at: datetime) -> Entry:
    level = _TROUBLE.get(Outcome(attempt.outcome), Level.INFO)
    reason = f" ({attempt.reason})" if attempt.reason not in ("", "end", attempt.outcome) else ""
    error = f": {attempt.error}" if attempt.error else ""
    text = f"attempt {attempt.number}: {attempt.outcome}{reason}{error}"
    return Entry(at, level, text, attempt.last_step)
