"""The runs that wait, in the order in which workers take them.

Neighbours of one sweep make one line: ten thousand runs that were submitted together are one thing to their
owner. A page begins beside a run, not at a number of lines, for the queue moves while somebody reads it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from django.db.models import Q

from runs.models import Queue, Run, Status
from runs.models.runs import RunQuerySet
from runs.reading.values import storable

LINES = 50  # of a page
_ORDER = ("pk", "sweep", "queue", "priority", "place")
_MAX_DIGITS = 18  # what a database's big integer holds
WIDE = ("config", "info", "summary", "error")  # columns that no list shows
_MAX_MARK = 100  # characters


@dataclass(frozen=True)
class Choice:
    """Which runs somebody wants to see; an empty text stands for all.

    Args:
        project: a slug.
        user: who submitted them.
        queue: whose workers take them.
        opened: key of the sweep whose runs have a line each.
    """

    project: str = ""
    user: str = ""
    queue: str = ""
    opened: int = 0

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> Choice:
        """Read an address; what is none is left out."""
        project, user, queue, opened = (
            parameters.get(name, "") for name in ("project", "user", "queue", "open")
        )
        return cls(
            storable(project),
            storable(user),
            queue if queue in Queue.values else "",
            int(opened) if opened.isascii() and opened.isdigit() and len(opened) <= _MAX_DIGITS else 0,
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The choice as an address writes it."""
        texts = {"project": self.project, "user": self.user, "queue": self.queue}
        texts["open"] = str(self.opened or "")
        return {name: text for name, text in texts.items() if text}

    @property
    def is_narrow(self) -> bool:
        """Whether some runs are left out."""
        return bool(self.project or self.user or self.queue)

    def of(self, runs: RunQuerySet) -> RunQuerySet:
        """Leave the others out."""
        wanted = {
            "project__slug": self.project,
            "sweep__created_by__username": self.user,
            "queue": self.queue,
        }
        return runs.filter(**{name: value for name, value in wanted.items() if value})


class Mark(NamedTuple):
    """Where a run stands in the order of the queue; the least is taken first."""

    behind: int  # the priority with the other sign
    place: float
    run: int

    @property
    def text(self) -> str:
        """The mark as an address writes it."""
        return f"{self.behind}~{self.place!r}~{self.run}"

    @classmethod
    def parse(cls, text: str) -> Mark | None:
        """Read a mark; None for what is none."""
        try:
            behind, place, run = text[:_MAX_MARK].split("~")
            return cls(int(behind), float(place), int(run))
        except ValueError:
            return None


class _Row(NamedTuple):
    run: int
    sweep: int
    queue: str
    priority: int
    place: float
    position: int

    @property
    def mark(self) -> Mark:
        return Mark(-self.priority, self.place, self.run)


_Group = list[_Row]


@dataclass(frozen=True)
class Line:
    """Runs of one sweep that follow each other.

    Args:
        run: the first of them.
        last: number of the last of them.
        position: of the first among those that wait for the same workers, from 1.
        up: the first run of the line before them; None where they are first.
        down: the first run of the line after the next; 0 where that is the end, None where they are last.
    """

    run: Run
    last: int
    count: int
    position: int
    up: int | None
    down: int | None

    @property
    def value(self) -> str:
        """The runs as a form names them: one number, or the first and the last."""
        return str(self.run.pk) if self.count == 1 else f"{self.run.status}:{self.run.pk}-{self.last}"

    @property
    def is_together(self) -> bool:
        """Whether it stands for more than one run."""
        return self.count > 1

    @property
    def last_position(self) -> int:
        """Position of the last of them."""
        return self.position + self.count - 1


@dataclass(frozen=True)
class Lines:
    """A page of lines.

    Args:
        count: how many runs there are, on this page or not.
    """

    lines: Sequence[Line]
    count: int
    previous: Mark | None
    next: Mark | None


def waiting(
    choice: Choice,
    *,
    size: int = LINES,
    after: Mark | None = None,
    before: Mark | None = None,
    each: bool = False,
) -> Lines:
    """Return a page of the runs that wait for a worker, in three queries, or four where some are left out.

    Args:
        size: lines of a page.
        after: where the page begins.
        before: where it ends, unless ``after`` is given.
        each: gives every run a line of its own.
    """
    groups = _groups(Run.objects.awaiting_worker(), choice, each=each)
    fronts = [group[0].mark for group in groups]
    start = bisect_right(fronts, after) if after else 0
    if before and not after:
        start = max(0, bisect_left(fronts, before) - size)
    return _page(groups, start, size)


def paused(choice: Choice, *, size: int = LINES, each: bool = False) -> Lines:
    """Return the first of the runs that wait until somebody lets them go on."""
    held = Run.objects.filter(status=Status.PAUSED).in_order_of_queue()
    return _page(_groups(held, choice, each=each), 0, size)


def chosen(text: str) -> Q:
    """Choose the runs that a form's value names: ``12``, or ``queued:12-40`` for a line.

    Runs that have left the line since it was shown are not among them.

    Raises:
        ValueError: for what is none of these.
    """
    status, _, span = text.rpartition(":")
    if not status:
        return Q(pk=_number(span))
    first, _, last = span.partition("-")
    columns = ("sweep", "queue", "priority", "place")
    ends = {run.pk: run for run in Run.objects.filter(pk__in=[_number(first), _number(last)]).only(*columns)}
    front, back = ends.get(int(first)), ends.get(int(last))
    if front is None or back is None or status not in Status.values:
        raise ValueError(f"expected the first and the last of some runs, got {text[:80]!r}; reload the page")
    from_front = Q(place__gt=front.place) | Q(place=front.place, pk__gte=front.pk)
    to_back = Q(place__lt=back.place) | Q(place=back.place, pk__lte=back.pk)
    same = Q(sweep=front.sweep_id, queue=front.queue, priority=front.priority, status=status)
    return same & from_front & to_back


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise ValueError(f"expected the number of a run, got {text[:40]!r}")
    return int(text)


def _rows(runs: RunQuerySet) -> Iterator[_Row]:
    """Read runs in their order, each with its position."""
    seen: Counter[str] = Counter()
    for run, sweep, queue, priority, place in runs.kept().values_list(*_ORDER):
        seen[queue] += 1
        yield _Row(run, sweep, queue, priority, place, seen[queue])


def _groups(runs: RunQuerySet, choice: Choice, *, each: bool = False) -> list[_Group]:
    """Put neighbours of one sweep together, among the runs that somebody wants to see."""
    rows: Iterable[_Row] = _rows(runs)
    if choice.is_narrow:
        wanted = set(choice.of(runs).order_by().values_list("pk", flat=True))
        rows = (row for row in rows if row.run in wanted)

    def alike(row: _Row) -> tuple[Any, ...]:
        alone = row.run if each or row.sweep == choice.opened else 0
        return row.sweep, row.queue, row.priority, alone

    return [list(group) for _, group in groupby(rows, alike)]


def _page(groups: Sequence[_Group], start: int, size: int) -> Lines:
    part = groups[start : start + size]
    shown = Run.objects.defer(*WIDE).select_related("project", "sweep__created_by")
    runs = shown.in_bulk([group[0].run for group in part])
    beside = _beside(groups)
    lines = [
        Line(runs[first.run], group[-1].run, len(group), first.position, *beside[first.run])
        for group in part
        if (first := group[0]).run in runs  # else it was purged a moment ago
    ]
    return Lines(
        lines,
        sum(len(group) for group in groups),
        part[0][0].mark if part and start else None,
        part[-1][-1].mark if start + size < len(groups) else None,
    )


def _beside(groups: Sequence[_Group]) -> dict[int, tuple[int | None, int | None]]:
    """Return before which runs each group would stand one step further up, and one further down."""
    queues: defaultdict[str, list[int]] = defaultdict(list)
    for group in groups:
        queues[group[0].queue].append(group[0].run)
    beside: dict[int, tuple[int | None, int | None]] = {}
    for firsts in queues.values():
        for index, first in enumerate(firsts):
            behind = [*firsts[index + 2 : index + 3], 0][0] if index + 1 < len(firsts) else None
            beside[first] = firsts[index - 1] if index else None, behind
    return beside
