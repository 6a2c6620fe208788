"""One page of the runs table, found through an index wherever there is one.

The plan, by measurement on 100,000 runs: a filter that few runs pass gives their numbers first, and only
these are looked at; otherwise the index of the order is walked, and each run on the way is asked whether it
passes. A page begins beside a row, not at a number of rows, so that the thousandth costs what the first does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, TypeAlias, cast

from django.db.models import Exists, F, FloatField, OuterRef, Q, QuerySet, Value

from runs.models import Project, Run, RunMetric
from runs.models.runs import RunQuerySet
from runs.reading.filters import Condition, Table, TypedField, TypedRow, run_key
from runs.reading.ordering import NEWEST, Column, Cursor, Order

PAGE_SIZE = 50
FEW = 2000  # runs that are looked at one by one
COUNTED = 10_000  # runs that are counted exactly where a filter is passed by many

_Rows: TypeAlias = QuerySet[Any]
_Place: TypeAlias = tuple[int, Any]  # a run and its value


@dataclass(frozen=True)
class Window:
    """A page's runs, and the cursors of the pages beside it.

    Args:
        runs: numbers of the runs, in order.
        first: place of the first run in the whole order, from 1.
    """

    runs: Sequence[int]
    first: int
    previous: Cursor | None
    next: Cursor | None


@dataclass(frozen=True)
class Count:
    """How many runs match; ``more`` where the counting stopped."""

    number: int
    more: bool = False


class Plan:
    """The runs of a project, or of all, that pass conditions, in an order."""

    def __init__(
        self, project: Project | None, conditions: Sequence[Condition], order: Order, archived: str = ""
    ) -> None:
        self._project = project
        self._archived = archived
        self._conditions = _merged(conditions)
        self._order = order
        self._few: list[int] | None = None  # the runs that one of the conditions leaves
        self._find_few()

    def window(self, size: int, *, after: Cursor | None = None, before: Cursor | None = None) -> Window:
        """Return the page after a row or before it; the first page where neither is given."""
        if before is not None:
            found = self._backwards(before, size + 1)
            if len(found) > size:
                return _window(found[size - 1 :: -1], before.place - size, earlier=True, later=True)
            after = None  # so little lies before the row that the first page shows it
        found = self._forwards(after, size + 1)
        first = after.place + 1 if after else 1
        return _window(found[:size], first, earlier=after is not None, later=len(found) > size)

    def count(self) -> Count:
        """Count the runs, to the end where that is quick."""
        if self._few is not None or not self._conditions:
            return Count(self._passing(Run).count())
        typed = [one for one in self._conditions if one.name and not one.negated]
        rows = self._passing(typed[0].model, typed[0].name) if typed else self._passing(Run)
        number = rows.order_by()[: COUNTED + 1].count()
        return Count(min(number, COUNTED), number > COUNTED)

    def _kept(self, model: Table) -> _Rows:
        """Return the rows of runs that are not in the trash, where mostly a handful is, and not archived."""
        own = {} if self._project is None else {"project": self._project}
        if model is Run:
            return chosen(Run.objects.all(), self._archived).filter(**own)
        rows = cast("TypedRow", model).objects.filter(**own).exclude(run__in=Run.objects.in_trash())
        if self._archived == "0,1":
            return rows
        put_away = Run.objects.archived().filter(**own)
        return rows.filter(run__in=put_away) if self._archived else rows.exclude(run__in=put_away)

    def _find_few(self) -> None:
        """Put the runs that pass in place of the condition that the fewest pass, where those are few."""
        replaced: Condition | None = None
        for one in self._conditions:
            if one.negated:
                continue
            rows = self._kept(one.model).filter(one.about(one.model, one.name))
            found = list(rows.order_by().values_list(run_key(one.model), flat=True)[: FEW + 1])
            if len(found) <= FEW and (self._few is None or len(found) < len(self._few)):
                self._few, replaced = found, one
        self._conditions = [one for one in self._conditions if one is not replaced]

    def _passing(self, model: Table, name: int = 0) -> _Rows:
        """Return the rows of runs that pass: runs themselves, or the typed rows of one name."""
        if self._few is None:
            rows = self._kept(model)
        else:  # their project goes without saying, and said it would send SQLite along an index of all runs
            rows = model.objects.filter(**{f"{run_key(model)}__in": self._few})
        rows = rows.filter(*(one.about(model, name) for one in self._conditions))
        return rows.filter(name_id=name) if name else rows

    def _forwards(self, cursor: Cursor | None, size: int) -> list[_Place]:
        if cursor is not None and cursor.value is None:
            return list(self._without_value(cursor)[:size])
        found = self._with_value(cursor, size)
        return found + (list(self._without_value(None)[: size - len(found)]) if len(found) < size else [])

    def _backwards(self, cursor: Cursor, size: int) -> list[_Place]:
        if cursor.value is not None:
            return self._with_value(cursor, size, backwards=True)
        found = list(self._without_value(cursor, backwards=True)[:size])
        missing = size - len(found)
        return found + (self._with_value(None, missing, backwards=True) if missing else [])

    def _with_value(self, cursor: Cursor | None, size: int, *, backwards: bool = False) -> list[_Place]:
        """Return runs and values, in order or against it, from the cursor on."""
        by = self._order.by
        found: list[_Place] = list(self._along_index(cursor, backwards=backwards)[:size])
        if isinstance(by, Column) and by.otherwise is not None:
            rows = self._passing(Run).annotate(own=by.expression).filter(own=None).annotate(key=by.otherwise)
            found += self._from(cursor, rows, "pk", backwards=backwards)[:size]
            sign = -1 if self._order.descending != backwards else 1
            found.sort(key=lambda row: (sign * row[1], row[0] if backwards else -row[0]))
        return found[:size]

    def _along_index(self, cursor: Cursor | None, *, backwards: bool = False) -> _Rows:
        """Return runs and values as the index of the order has them."""
        by = self._order.by
        if isinstance(by, TypedField):
            rows = self._passing(RunMetric, self._order.name).annotate(key=F(by.aspect))
            return self._from(cursor, rows, "run_id", backwards=backwards)
        rows = self._passing(Run).annotate(key=by.expression)
        return self._from(cursor, rows, "pk", backwards=backwards)

    def _from(self, cursor: Cursor | None, rows: _Rows, run: str, *, backwards: bool) -> _Rows:
        """Put rows that have a ``key`` in order or against it, from the cursor on."""
        down = self._order.descending != backwards
        if cursor is not None:
            beyond, edge = ("lt", "lte") if down else ("gt", "gte")
            tied = Q(**{f"{run}__{'gt' if backwards else 'lt'}": cursor.run})
            # The second part alone would do, but only the first can be sought in an index.
            rows = rows.filter(Q(**{f"key__{edge}": cursor.value}))
            # A value may move meanwhile, as the time that a run has taken does: its row is not shown again.
            rows = rows.filter(Q(**{f"key__{beyond}": cursor.value}) & ~Q(**{run: cursor.run}) | tied)
        if self._order.by is not NEWEST:
            rows = rows.filter(key__isnull=False)
        ordered: _Rows = rows.order_by("-key" if down else "key", run if backwards else f"-{run}")
        return ordered.values_list(run, "key")

    def _without_value(self, cursor: Cursor | None, *, backwards: bool = False) -> _Rows:
        """Return the runs that have no value, the newest first, from the cursor on."""
        by, rows = self._order.by, self._passing(Run)
        if by is NEWEST:
            return rows.none()
        if isinstance(by, TypedField):
            valued = RunMetric.objects.filter(
                run=OuterRef("pk"), name=self._order.name, **{f"{by.aspect}__isnull": False}
            )
            rows = rows.filter(~Exists(valued))
        else:
            rows = rows.annotate(key=by.value).filter(key=None)
        if cursor is not None:
            rows = rows.filter(Q(pk__gt=cursor.run) if backwards else Q(pk__lt=cursor.run))
        nothing = Value(None, FloatField())
        return rows.order_by("pk" if backwards else "-pk").values_list("pk", nothing)


def chosen(runs: RunQuerySet, archived: str) -> RunQuerySet:
    """Return those runs that an address means by ``archived``."""
    if archived == "0,1":
        return runs.kept()
    return runs.kept().archived() if archived else runs.shown()


def _merged(conditions: Sequence[Condition]) -> list[Condition]:
    """Make one condition of all that are about the run's own row."""
    own = [one.about(Run) for one in conditions if one.model is Run]
    typed = [one for one in conditions if one.model is not Run]
    return [*typed, Condition(Run, reduce(and_, own, Q()))] if own else typed


def _window(rows: Sequence[_Place], first: int, *, earlier: bool, later: bool) -> Window:
    if not rows:
        return Window((), first, None, None)
    (front, front_value), (back, back_value) = rows[0], rows[-1]
    return Window(
        [run for run, _ in rows],
        first,
        Cursor(first, front, front_value) if earlier else None,
        Cursor(first + len(rows) - 1, back, back_value) if later else None,
    )
