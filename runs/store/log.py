"""The log of a run: lines that wait for the next flush, and of those that are written the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from runs.models import Run
from runs.models.log_lines import Level, LogLine

KEPT = 2000  # lines of a run
MAX_TEXT = 8000  # characters of a line: a traceback has its beginning and its end
_TRIMMED_EVERY = 100  # lines; older ones are removed by so many at a time


@dataclass(frozen=True)
class Line:
    """Something to be said of a run."""

    text: str
    level: Level = Level.INFO
    step: int | None = None
    said_at: datetime = field(default_factory=timezone.now)


class Log:
    """What one attempt says of its run, until it is written."""

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._waiting: deque[Line] = deque(maxlen=KEPT)
        self._next = 0

    def begin(self) -> None:
        """Go on after the lines of earlier attempts."""
        self._next = _count(self._run_id)

    def say(self, text: str, level: Level = Level.INFO, step: int | None = None) -> None:
        """Take a line; the next flush writes it."""
        self._waiting.append(Line(text, level, step))

    def write(self) -> None:
        """Write what waits; the caller's transaction decides when. Twice is the same as once."""
        _insert(self._run_id, self._next, list(self._waiting))

    def written(self) -> None:
        """Note that the transaction has committed."""
        self._next += len(self._waiting)
        self._waiting.clear()


def say(run_id: int, token: UUID, line: Line) -> bool:
    """Write a line at once. Returns whether the run is still this token's; else nothing is written."""
    with transaction.atomic():
        is_ours = bool(Run.objects.filter(pk=run_id, token=token).update(token=token))
        if is_ours:
            append(run_id, [line])
    return is_ours


def append(run_id: int, lines: Sequence[Line]) -> None:
    """Write lines after those that are there; the caller holds the run's row."""
    _insert(run_id, _count(run_id), lines)


def _count(run_id: int) -> int:
    """Return the number of the next line."""
    last = LogLine.objects.filter(run=run_id).aggregate(last=Max("number"))["last"]
    return 0 if last is None else last + 1


def _insert(run_id: int, first: int, lines: Sequence[Line]) -> None:
    if not lines:
        return
    LogLine.objects.bulk_create(
        (
            LogLine(
                run_id=run_id,
                number=number,
                said_at=line.said_at,
                level=line.level,
                step=line.step,
                text=_cut(line.text),
            )
            for number, line in enumerate(lines, first)
        ),
        update_conflicts=True,
        unique_fields=["run", "number"],
        update_fields=["said_at", "level", "step", "text"],
    )
    after = first + len(lines)
    if after // _TRIMMED_EVERY > first // _TRIMMED_EVERY and after > KEPT:
        LogLine.objects.filter(run=run_id, number__lt=after - KEPT).delete()


def _cut(text: str) -> str:
    """Leave out the middle of a long text, and what no database takes."""
    plain = text.replace("\x00", "\ufffd")
    if len(plain) <= MAX_TEXT:
        return plain
    half = MAX_TEXT // 2
    return f"{plain[:half]}\n… {len(plain) - 2 * half:,} characters left out …\n{plain[-half:]}"
