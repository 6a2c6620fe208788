"""What the runs table is sorted by: one value of a run, and where a page of that order begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    F,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Now, NullIf

from runs.models import Alert
from runs.models.durations import Seconds
from runs.reading.filters import TypedField
from runs.reading.values import storable

_MAX_CURSOR = 200  # characters


@dataclass(frozen=True)
class Column:
    """A value of a run's own row.

    Args:
        expression: gives the value.
        read: takes the value from the text of a cursor; raises ValueError.
        otherwise: gives a number where the expression is NULL. It may move: the few runs that have it are
            sorted by themselves, all others along the index of the expression.
    """

    expression: Any
    read: Callable[[str], Any]
    otherwise: Any = None

    @property
    def value(self) -> Any:
        """Gives the value of any run; those where it is NULL come last."""
        return self.expression if self.otherwise is None else Coalesce(self.expression, self.otherwise)


@dataclass(frozen=True)
class Order:
    """How the runs are sorted; of equal ones the newest comes first.

    Args:
        key: as an address writes it, without the minus.
        by: a column of runs, or a metric.
        name: number of the metric's name.
    """

    key: str
    by: Column | TypedField
    name: int = 0
    descending: bool = True

    @property
    def text(self) -> str:
        """The order as an address writes it."""
        return f"-{self.key}" if self.descending else self.key

    def read(self, text: str) -> Any:
        """Take a value of this order from text.

        Raises:
            ValueError: where it is none.
        """
        return _real(text) if isinstance(self.by, TypedField) else self.by.read(text)


@dataclass(frozen=True)
class Cursor:
    """A row beside which a page begins.

    Args:
        place: of the row in the whole order, from 1; for people, who like to know.
        run: the row's run.
        value: what the row is sorted by; None where it has no value, and so stands among the last.
    """

    place: int
    run: int
    value: Any

    @property
    def text(self) -> str:
        """The cursor as an address writes it."""
        if self.value is None:
            return f"{self.place}~{self.run}"
        return f"{self.place}~{self.run}~{self.value}"


def read_cursor(text: str, order: Order) -> Cursor:
    """Read a cursor of an order.

    Raises:
        ValueError: for what is none, or belongs to another order.
    """
    place, _, rest = text[:_MAX_CURSOR].partition("~")
    run, has_value, value = rest.partition("~")
    return Cursor(_whole(place), _whole(run), order.read(value) if has_value else None)


def _whole(text: str) -> int:
    if len(text) > 18 or not text.isascii() or not text.isdigit():
        raise ValueError(f"expected a whole number, got {text[:40]!r}")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not abs(value) < float("inf"):
        raise ValueError(f"expected a finite number, got {text[:40]!r}")
    return value


def _open_alerts() -> Any:
    alerts = Alert.objects.unattended().filter(run=OuterRef("pk")).order_by()
    counted = alerts.values("run").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


OPEN_ALERTS = _open_alerts()
NEWEST = Column(F("pk"), _whole)
COLUMNS: Mapping[str, Column] = {
    "run": Column(F("name"), storable),
    "status": Column(F("status"), storable),
    "progress": Column(1.0 * F("steps_run") / NullIf("steps_requested", 0), _real),
    "net": Column(
        F("depth") * Value(2**32, BigIntegerField())
        + Coalesce("width", 2**31 - 1, output_field=BigIntegerField()),
        _whole,
    ),
    "activation": Column(F("activation"), storable),
    "dropout": Column(F("dropout"), _real),
    "optimizer": Column(F("optimizer"), storable),
    "learning_rate": Column(F("learning_rate"), _real),
    "score": Column(Case(When(Q(stop_reason="diverged"), then=None), default=F("score")), _real),
    "params": Column(F("parameters"), _whole),
    "time": Column(Seconds("ended_at", "started_at"), _real, otherwise=Seconds(Now(), "started_at")),
    "alerts": Column(OPEN_ALERTS, _whole),
    "newest": NEWEST,
}
METRICS: Mapping[str, TypedField] = {"val_loss": TypedField("val_loss", "last")}  # columns of every table
