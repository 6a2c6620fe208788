"""The runs table: its address language, and what an address asks for.

``field=value``, where the value is as ``runs.reading.values`` reads it and the field a column of runs,
``metric.NAME`` or ``param.NAME``. What cannot be understood becomes a warning on the page: an address is
typed, shared and kept longer than a version lives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from runs.models import Project, Run
from runs.reading import ordering
from runs.reading.filters import (
    COLUMNS,
    Condition,
    TypedField,
    archived,
    column_conditions,
    numbers_of,
    search,
    typed_conditions,
    typed_field,
)
from runs.reading.ordering import Cursor, Order, read_cursor
from runs.reading.paging import Plan, chosen
from runs.reading.values import split, storable

if TYPE_CHECKING:
    from django.http import QueryDict

    from runs.models.runs import RunQuerySet

MAX_TYPED = 20  # filters of metrics and parameters in one address
MAX_COLUMNS = 12
MAX_NAMED = 100  # metrics and parameters that one address may name
DEFAULT_SORT = "-newest"
GROUPS: Mapping[str, str] = {  # what runs are grouped by, and the column that holds it
    "config": "group",
    **{name: name for name in ("dataset", "activation", "depth", "width", "dropout", "optimizer")},
    **{name: name for name in ("learning_rate", "batch_size", "seed", "status")},
    "sweep": "sweep_id",
}
_OTHERS = ("q", "sort", "group", "open", "columns", "after", "before", "where")
_FIELDS = (*COLUMNS, "archived")  # in the order that addresses have them
_DEFAULT_ORDER = Order("newest", ordering.NEWEST)


@dataclass(frozen=True)
class TableQuery:
    """What an address asks of the runs table.

    Args:
        filters: the parts that were understood, by field, as they were written.
        group: what the runs are grouped by, a name of ``GROUPS`` or a parameter; empty for single runs.
        group_name: number of the parameter's name.
        open: the group whose runs are listed too.
        columns: metrics and parameters to show, with the numbers of their names.
        warnings: one sentence for each part that was not understood.
    """

    q: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    order: Order = _DEFAULT_ORDER
    group: str = ""
    group_name: int = 0
    open: str = ""
    columns: Mapping[TypedField, int] = field(default_factory=dict)
    after: Cursor | None = None
    before: Cursor | None = None
    warnings: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def sort(self) -> str:
        """The order as an address writes it."""
        return self.order.text

    @property
    def archived(self) -> str:
        """Which runs are meant: "" those that are not archived, "1" those that are, "0,1" both."""
        return archived(self.filters.get("archived", ""))

    @property
    def active_filters(self) -> int:
        """Number of filters, the search text among them."""
        return len(self.filters) + bool(self.q)

    @property
    def canonical(self) -> str:
        """The view without its page, as a query string without a question mark."""
        return self.address(after="", before="").removeprefix("?")

    def address(self, **changes: object) -> str:
        """Write the query string, canonical: the same view always has the same address."""
        return self.changed(changes)

    def changed(self, changes: Mapping[str, object]) -> str:
        """Write the query string with changes, whose names may have dots."""
        values: dict[str, object] = {
            "q": self.q,
            **self.filters,
            "sort": self.sort,
            "group": self.group,
            "open": self.open,
            "columns": ",".join(quoted(column.key) for column in self.columns),
            "after": self.after.text if self.after else "",
            "before": self.before.text if self.before else "",
            **changes,
        }
        typed = sorted(name for name in values if typed_field(name))
        kept = [
            (key, values[key])
            for key in ("q", *_FIELDS, *typed, *_OTHERS[1:-1])
            if values.get(key, "") not in {DEFAULT_SORT if key == "sort" else "", ""}
        ]
        return f"?{urlencode(kept, safe=',.!', quote_via=quote)}" if kept else "?"

    def beside(self, cursor: Cursor | None, side: str) -> str:
        """Write the address of the page ``after`` or ``before`` a row; empty where there is none."""
        return self.changed({"after": "", "before": "", side: cursor.text}) if cursor else ""

    def sorted_by(self, key: str) -> str:
        """Write the address of this view sorted by a column; a second time turns the order round."""
        return self.address(sort=f"-{key}" if self.sort == key else key, after="", before="")


def parse_table_query(
    project: Project | None, parameters: QueryDict, *, ignored: Collection[str] = ()
) -> TableQuery:
    """Read an address of a project's runs table; never an error, at worst warnings.

    Args:
        project: without one, metrics and parameters are not known.
        parameters: of the request; a field given twice counts as ``a,b``.
        ignored: names that belong to the page around the table.
    """
    given = _given(parameters, {*_OTHERS, *ignored})
    sort = parameters.get("sort", "") or DEFAULT_SORT
    columns = list(split(",".join(parameters.getlist("columns"))))
    group = parameters.get("group", "")
    named = (*map(typed_field, (*given, group)), _sort_field(sort), *map(_column_field, columns))
    known = numbers_of(project, list(filter(None, named))[:MAX_NAMED]) if project else {}
    warnings: list[str] = []
    filters, conditions = _filters(given, known, warnings)
    q = storable(parameters.get("q", ""))[:100]
    if q:
        conditions.append(search(q))
    query = TableQuery(
        q,
        filters,
        order=_order(sort, known, warnings),
        **_grouping(group, parameters.get("open", ""), known, warnings),
        columns=_columns(columns, known, warnings),
        conditions=tuple(conditions),
    )
    after, before = (_cursor(side, parameters, query.order, warnings) for side in ("after", "before"))
    return replace(query, after=after, before=before if after is None else None, warnings=tuple(warnings))


def plan_of(project: Project | None, query: TableQuery) -> Plan:
    """Return how to find the runs that the query asks for; without a project, those of all projects."""
    return Plan(project, query.conditions, query.order, query.archived)


def runs_of(project: Project, query: TableQuery) -> RunQuerySet:
    """Return the project's runs that match, in no order."""
    every = chosen(Run.objects.all(), query.archived)
    return every.filter(*(one.about(Run) for one in query.conditions), project=project)


def _given(parameters: QueryDict, ignored: Collection[str]) -> dict[str, str]:
    """Return the filters by field; ``where`` holds one written out, as the form sends it."""
    given = [(name, text) for name in parameters if name not in ignored for text in parameters.getlist(name)]
    for text in parameters.getlist("where"):
        name, _, value = text.partition("=")
        given += [(name.strip(), value)] if text.strip() else []
    found: dict[str, list[str]] = {}
    for name, text in given:
        found.setdefault(name, []).extend(part for part in [text.strip()] if part)
    fields = {name for name in found if name in _FIELDS or typed_field(name)}
    return {name: ",".join(texts) for name, texts in found.items() if texts or name not in fields}


def _filters(
    given: Mapping[str, str], known: Mapping[TypedField, int], warnings: list[str]
) -> tuple[dict[str, str], list[Condition]]:
    filters: dict[str, str] = {}
    conditions: list[Condition] = []
    for name, text in given.items():
        try:
            conditions += _read_filter(name, text, known)
        except LookupError as error:
            warnings.append(f"“{name[:80]}” is {error.args[0]}; this part of the address was left out.")
        except ValueError as error:
            warnings.append(f"{name[:80]}={text[:80]}: {error}; this filter was left out.")
        else:
            if name != "archived" or archived(text):
                filters[name] = text
        if len(conditions) > 2 * MAX_TYPED:
            warnings.append(f"Only the first {len(filters)} filters were used; the others were left out.")
            break
    return filters, conditions


def _read_filter(name: str, text: str, known: Mapping[TypedField, int]) -> list[Condition]:
    if name in COLUMNS:
        return column_conditions(name, text)
    if name == "archived":
        archived(text)
        return []
    found = typed_field(name)
    if found is None:
        raise LookupError("not a field of runs")
    if found not in known:
        raise LookupError(f"not a {name.partition('.')[0]} of this project's runs")
    return typed_conditions(found, known[found], text)


def _sort_field(text: str) -> TypedField | None:
    key = text.removeprefix("-")
    return ordering.METRICS.get(key) or typed_field(key)


def _column_field(text: str) -> TypedField | None:
    return typed_field(text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text)


def _order(text: str, known: Mapping[TypedField, int], warnings: list[str]) -> Order:
    descending, key = text.startswith("-"), text.removeprefix("-")
    if key in ordering.COLUMNS:
        return Order(key, ordering.COLUMNS[key], descending=descending)
    found = _sort_field(text)
    if found is not None and found.aspect and (found in known or key in ordering.METRICS):
        return Order(key, found, known.get(found, 0), descending)
    warnings.append(f"“{text[:80]}” is not a column to sort by; the newest runs come first.")
    return _DEFAULT_ORDER


def _grouping(
    group: str, opened: str, known: Mapping[TypedField, int], warnings: list[str]
) -> dict[str, Any]:
    found = typed_field(group)
    if group in GROUPS:
        return {"group": group, "open": storable(opened)[:250]}
    if found is not None and not found.aspect and found in known:
        return {"group": group, "group_name": known[found], "open": storable(opened)[:250]}
    if group:
        warnings.append(f"“{group[:80]}” is not a column or parameter to group by; single runs are shown.")
    return {}


def _columns(
    texts: Sequence[str], known: Mapping[TypedField, int], warnings: list[str]
) -> dict[TypedField, int]:
    found: dict[TypedField, int] = {}
    for text in texts:
        column = _column_field(text)
        if column is None or column not in known:
            warnings.append(f"“{text[:80]}” is not a metric or parameter of this project's runs to show.")
        elif len(found) == MAX_COLUMNS:
            warnings.append(f"Only {MAX_COLUMNS} columns can be added; the others were left out.")
            break
        else:
            found[column] = known[column]
    return found


def _cursor(side: str, parameters: QueryDict, order: Order, warnings: list[str]) -> Cursor | None:
    text = parameters.get(side, "")
    try:
        return read_cursor(text, order) if text else None
    except ValueError:
        warnings.append(f"{side}={text[:40]} is not a place in this order; the first page is shown.")
        return None


def quoted(text: str) -> str:
    """Write a name as a part of a list with commas between."""
    return f'"{text}"' if "," in text else text
