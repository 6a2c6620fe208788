"""The runs table: its address language, and one page of its rows.

``field=value``, ``a,b`` is or, ``a..b`` is a range with either end open, ``!a`` is not. What cannot be
understood becomes a warning on the page: an address is typed, shared and kept longer than a version lives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce, Now, NullIf

from runs.models import Alert, Project, Run, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from django.http import QueryDict

PAGE_SIZE = 50
MAX_VALUES = 100  # of one filter
_TEXT, _NUMBER = "text", "number"
FILTERS: Mapping[str, str] = {
    "status": _TEXT,
    "dataset": _TEXT,
    "activation": _TEXT,
    "optimizer": _TEXT,
    "depth": _NUMBER,
    "width": _NUMBER,
    "dropout": _NUMBER,
    "learning_rate": _NUMBER,
    "score": _NUMBER,
    "seed": _NUMBER,
    "sweep": _NUMBER,
}
SORTS: Mapping[str, tuple[str, ...]] = {
    "run": ("name",),
    "status": ("status",),
    "progress": ("share_run",),
    "net": ("depth", "width"),
    "activation": ("activation",),
    "dropout": ("dropout",),
    "optimizer": ("optimizer",),
    "learning_rate": ("learning_rate",),
    "val_loss": ("summary__val_loss",),
    "score": ("final_score",),
    "params": ("parameters",),
    "time": ("time_taken",),
    "alerts": ("open_alerts",),
    "newest": ("pk",),
}
_OTHERS = ("q", "sort", "page")


@dataclass(frozen=True)
class TableQuery:
    """What an address asks of the runs table.

    Args:
        filters: the parts that were understood, by field, as they were written.
        sort: a key of ``SORTS``, with a minus for descending.
        warnings: one sentence for each part that was not.
    """

    q: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = "-newest"
    page: int = 1
    warnings: tuple[str, ...] = ()
    condition: Q = field(default_factory=Q)

    @property
    def active_filters(self) -> int:
        """Number of filters, the search text among them."""
        return len(self.filters) + bool(self.q)

    def address(self, **changes: object) -> str:
        """Write the query string, canonical: the same view always has the same address."""
        values: dict[str, object] = {
            "q": self.q,
            **self.filters,
            "sort": self.sort,
            "page": self.page,
            **changes,
        }
        defaults = {"q": "", "sort": "-newest", "page": 1}
        order = ("q", *FILTERS, "sort", "page")
        kept = [(key, values[key]) for key in order if values.get(key, "") not in {defaults.get(key, ""), ""}]
        return f"?{urlencode(kept, safe=',.!', quote_via=quote)}" if kept else "?"

    def sorted_by(self, column: str) -> str:
        """Write the address of this view sorted by a column; a second time turns the order round."""
        return self.address(sort=f"-{column}" if self.sort == column else column, page=1)


def parse_table_query(parameters: QueryDict, *, ignored: Iterable[str] = ()) -> TableQuery:
    """Read an address of the runs table; never an error, at worst warnings.

    Args:
        parameters: of the request; a field given twice counts as ``a,b``.
        ignored: names that belong to the page around the table.
    """
    filters, condition, warnings = _filters(parameters, {*_OTHERS, *ignored})
    q = _clean(parameters.get("q", ""))[:100]
    if q:
        condition &= Q(name__icontains=q) | Q(sweep__name__icontains=q)
    sort = parameters.get("sort", "") or "-newest"
    if sort.removeprefix("-") not in SORTS:
        warnings.append(f"“{sort[:80]}” is not a column to sort by; the newest runs come first.")
        sort = "-newest"
    return TableQuery(q, filters, sort, _page_number(parameters.get("page", "1")), tuple(warnings), condition)


def runs_of(project: Project, query: TableQuery) -> QuerySet[Run]:
    """Return the project's runs that match, in the order asked for."""
    open_alerts = (
        Alert.objects.filter(run=OuterRef("pk"), state="open")
        .order_by()
        .values("run")
        .annotate(number=Count("pk"))
        .values("number")
    )
    runs = (
        Run.objects.kept()
        .filter(query.condition, project=project)
        .annotate(
            open_alerts=Coalesce(Subquery(open_alerts), 0),
            share_run=1.0 * F("steps_run") / NullIf("steps_requested", 0),
            final_score=Case(When(stop_reason="diverged", then=None), default=F("score")),
            time_taken=Coalesce("ended_at", Now()) - F("started_at"),
        )
    )
    fields = SORTS[query.sort.removeprefix("-")]
    descending = query.sort.startswith("-")
    orders = [
        F(name).desc(nulls_last=True) if descending else F(name).asc(nulls_last=True) for name in fields
    ]
    return runs.order_by(*orders, "-pk")


def page_of(runs: QuerySet[Run], number: int) -> Page[Run]:
    """Return one page of runs; a number beyond the last page gives the last."""
    return Paginator(runs, PAGE_SIZE).get_page(number)


def choices(project: Project) -> dict[str, list[str]]:
    """Return the values that the project's runs have, for the lists of the filter form."""
    rows = (
        Run.objects.kept()
        .filter(project=project)
        .order_by()
        .values_list("dataset", "activation", "depth", "width", "dropout")
        .distinct()
    )
    columns = list(zip(*rows, strict=True)) or [()] * 5
    names = ("dataset", "activation", "depth", "width", "dropout")
    found = {
        name: [str(value) for value in sorted(set(column) - {None})]
        for name, column in zip(names, columns, strict=True)
    }
    return {"status": list(Status.values), **found}


def _filters(parameters: QueryDict, ignored: Collection[str]) -> tuple[dict[str, str], Q, list[str]]:
    filters: dict[str, str] = {}
    condition = Q()
    warnings: list[str] = []
    for name in parameters:
        text = ",".join(part.strip() for part in parameters.getlist(name) if part.strip())
        if name in ignored or (name in FILTERS and not text):
            continue
        if name not in FILTERS:
            warnings.append(f"“{name[:80]}” is not a field of runs; this part of the address was left out.")
            continue
        try:
            condition &= _condition(name, text)
        except ValueError as error:
            warnings.append(f"{name}={text[:80]}: {error}; this filter was left out.")
        else:
            filters[name] = text
    return filters, condition, warnings


def _condition(name: str, text: str) -> Q:
    column = "sweep_id" if name == "sweep" else name
    parts = text.split(",")
    if len(parts) > MAX_VALUES:
        raise ValueError(f"expected at most {MAX_VALUES} values, got {len(parts)}")
    build: Callable[[str, str], Q] = _number_condition if FILTERS[name] is _NUMBER else _text_condition
    wanted, unwanted = Q(), Q()
    for part in parts:
        if part.startswith("!"):
            unwanted &= ~build(column, part[1:].strip())
        else:
            wanted |= build(column, part.strip())
    return wanted & unwanted


def _text_condition(column: str, text: str) -> Q:
    return Q(**{column: _clean(text)})


def _number_condition(column: str, text: str) -> Q:
    low, dots, high = text.partition("..")
    if not dots:
        return Q(**{column: _number(column, text)})
    condition = Q(**{f"{column}__isnull": False})
    if low:
        condition &= Q(**{f"{column}__gte": _number(column, low)})
    if high:
        condition &= Q(**{f"{column}__lte": _number(column, high)})
    return condition


def _number(column: str, text: str) -> float | int:
    if column in {"dropout", "learning_rate", "score"}:
        value = float(text) if len(text) < 40 else float("nan")
        if not abs(value) < 1e300:
            raise ValueError(f"expected a number, got {text[:40]!r}")
        return value
    if len(text) > 18 or not text.isascii() or not text.isdigit():
        raise ValueError(f"expected a whole number or a range such as 2..5, got {text[:40]!r}")
    return int(text)


def _clean(text: str) -> str:
    """Take out what PostgreSQL cannot store or compare in a text."""
    return text.replace("\x00", "").strip()


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
