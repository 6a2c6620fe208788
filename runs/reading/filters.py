"""The fields that the runs table is filtered by, and the conditions that filters come to.

A field is a column of a run, its tags, ``metric.NAME`` (its last value), ``metric.NAME.min``,
``metric.NAME.max``, ``metric.NAME.best`` or ``param.NAME``. A condition of a metric or parameter looks at the
typed rows, one for each run and name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db.models import Exists, OuterRef, Q

from runs.models import Name, Project, Run, RunMetric, RunParam, RunTag, Sweep
from runs.reading import values
from runs.reading.metrics import higher_is_better

COLUMNS: Mapping[str, Callable[[str, str], values.Wanted]] = {
    "status": values.texts,
    "tag": values.texts,
    "dataset": values.texts,
    "activation": values.texts,
    "optimizer": values.texts,
    "depth": values.whole_numbers,
    "width": values.whole_numbers,
    "dropout": values.numbers,
    "learning_rate": values.numbers,
    "batch_size": values.whole_numbers,
    "score": values.numbers,
    "seed": values.whole_numbers,
    "sweep": values.whole_numbers,
    "config": values.texts,
}
_STORED_AS = {"sweep": "sweep_id", "config": "group", "tag": "name__text"}  # where names differ
Table: TypeAlias = type[Run] | type[RunMetric] | type[RunParam] | type[RunTag]
TypedRow: TypeAlias = type[RunMetric] | type[RunParam]

_ASPECTS = {"last": "last", "min": "minimum", "max": "maximum"}
_BEST = "best"  # min or max, as the metric has it, and the step where that was


@dataclass(frozen=True)
class TypedField:
    """A metric or a parameter of runs.

    Args:
        name: as it was logged or configured.
        aspect: column of ``RunMetric``; empty for a parameter.
        best: the aspect was not named but follows from the metric, and is shown with its step.
    """

    name: str
    aspect: str = ""
    best: bool = False

    @property
    def model(self) -> TypedRow:
        """The typed rows that hold its values."""
        return RunMetric if self.aspect else RunParam

    @property
    def key(self) -> str:
        """The field as an address writes it."""
        if not self.aspect:
            return f"param.{self.name}"
        if self.best:
            return f"metric.{self.name}.{_BEST}"
        short = next(short for short, column in _ASPECTS.items() if column == self.aspect)
        plain = short == "last" and self.name.rpartition(".")[2] not in {*_ASPECTS, _BEST}
        return f"metric.{self.name}" if plain else f"metric.{self.name}.{short}"


@dataclass(frozen=True)
class Condition:
    """What a run must be like.

    Args:
        model: what the condition is about: the run's own row, or one of its typed rows.
        q: what that row must be like.
        name: number of the typed row's name.
        negated: the row must not be like that, or there must be none.
    """

    model: Table
    q: Q
    name: int = 0
    negated: bool = False

    def about(self, model: Table, name: int = 0) -> Any:
        """Write the condition for a query over runs, or over the typed rows of one name."""
        if model is self.model and name == self.name:
            q = self.q & Q(name_id=name) if name else self.q
            return ~self.q if self.negated else q
        named = {"name_id": self.name} if self.name else {}
        rows = self.model.objects.filter(self.q, **named, **{run_key(self.model): OuterRef(run_key(model))})
        return ~Exists(rows) if self.negated else Exists(rows)


def run_key(model: Table) -> str:
    """Return the name of the field that holds the run's number."""
    return "pk" if model is Run else "run_id"


def typed_field(text: str) -> TypedField | None:
    """Read ``metric.NAME``, ``metric.NAME.min`` or ``param.NAME``; None for anything else."""
    kind, _, name = text.partition(".")
    if kind == "param" and name:
        return TypedField(name)
    if kind != "metric" or not name:
        return None
    stem, _, last = name.rpartition(".")
    if stem and last == _BEST:
        return TypedField(stem, "maximum" if higher_is_better(stem) else "minimum", best=True)
    return TypedField(stem, _ASPECTS[last]) if stem and last in _ASPECTS else TypedField(name, "last")


def column_conditions(name: str, text: str) -> list[Condition]:
    """Read a filter of a column.

    Raises:
        ValueError: with what is wrong with the text.
    """
    wanted = COLUMNS[name](_STORED_AS.get(name, name), text)
    return _conditions(RunTag if name == "tag" else Run, 0, wanted)


def typed_conditions(field: TypedField, number: int, text: str) -> list[Condition]:
    """Read a filter of a metric or a parameter.

    Args:
        number: of the field's name.

    Raises:
        ValueError: with what is wrong with the text.
    """
    wanted = values.numbers(field.aspect, text) if field.aspect else values.parameters(text)
    return _conditions(field.model, number, wanted)


def search(text: str) -> Condition:
    """Look for a text in the names of runs and of their sweeps."""
    sweeps = Sweep.objects.filter(name__icontains=text).values("pk")
    return Condition(Run, Q(name__icontains=text) | Q(sweep__in=sweeps))


def numbers_of(project: Project, fields: Collection[TypedField]) -> dict[TypedField, int]:
    """Return the numbers of the names of those fields that a run of the project has."""
    found: dict[TypedField, int] = {}
    for model in {field.model for field in fields}:
        texts = {values.storable(field.name) for field in fields if field.model is model}
        used = Exists(model.objects.filter(project=project, name=OuterRef("pk")))
        ids = dict(Name.objects.filter(used, text__in=texts).values_list("text", "pk"))
        found |= {field: ids[field.name] for field in fields if field.model is model and field.name in ids}
    return found


def archived(text: str) -> str:
    """Read which runs are shown: "" those that are not archived, "1" those that are, "0,1" both.

    Raises:
        ValueError: for anything else.
    """
    wanted = {part.strip() for part in text.split(",") if part.strip()}
    if not wanted <= {"0", "1"}:
        raise ValueError(f"expected 1 for the archived runs, 0,1 for all, got {text[:40]!r}")
    return "0,1" if len(wanted) == 2 else "1" if wanted == {"1"} else ""


def _conditions(model: Table, name: int, wanted: values.Wanted) -> list[Condition]:
    found = [Condition(model, wanted.any_of, name)] if wanted.any_of else []
    return found + ([Condition(model, wanted.none_of, name, negated=True)] if wanted.none_of else [])
