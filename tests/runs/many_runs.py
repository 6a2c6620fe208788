"""A project of very many runs, each with 28 metrics and some 30 parameters, quickly: for measuring.

``python -m tests.runs.many_runs 100000`` fills the database that the environment names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import numpy as np
from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, models, transaction

if not apps.ready:
    django.setup()  # before models are imported

from nnlab.data.config import DataConfig
from nnlab.engine.config import TrainingConfig
from runs.models import Project, Run, RunMetric, RunParam, Sweep
from runs.store.names import name_ids
from runs.store.params import Param, flattened

DEPTHS = (1, 2, 3, 4)
SIGNALS = ("zero_share", "gradient_rms", "weight_norm", "update_ratio", "spread", "delta_rms")
METRICS = (
    *("train_loss", "val_loss", "val_accuracy", "gradient_norm"),
    *(f"{signal}_{layer}" for layer in DEPTHS for signal in SIGNALS),
)
LEARNING_RATES = tuple(float(f"{10 ** (place / 5 - 4):.3g}") for place in range(20))  # 5 % of the runs each
OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop", "adamw")  # 20 % each
PENALTIES = tuple(place / 1000 for place in range(500))  # of l2: 0.2 % each
KEYS = ("run_id", "name_id", "project_id")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def build_many_runs(count: int, *, seed: int = 0, slug: str = "many") -> Project:
    """Make a project of finished runs, 2 % of them diverged; the project."""
    rng = np.random.default_rng(seed)
    project = Project.objects.create(slug=slug, name=slug.capitalize())
    sweep = Sweep.objects.create(project=project, name="many", specification={})
    newest = Run.objects.order_by("pk").values_list("pk", flat=True).last() or 0
    ids = np.arange(newest + 1, newest + 1 + count)
    chosen = {
        "learning_rate": rng.integers(len(LEARNING_RATES), size=count),
        "optimizer": rng.integers(len(OPTIMIZERS), size=count),
        "l2": rng.integers(len(PENALTIES), size=count),
        "depth": rng.integers(len(DEPTHS), size=count),
    }
    last = rng.lognormal(size=(count, len(METRICS)))
    last[:, METRICS.index("val_accuracy")] = rng.random(count)
    diverged = rng.random(count) < 0.02
    numbers = name_ids(
        {*METRICS, *flattened(_template()), *(f"training.{name}" for name in _settings(chosen, 0))}
    )
    settings = [_settings(chosen, place) for place in range(count)]
    rows = _prepared(Run, _runs(sweep, ids, settings, last, diverged))
    _write(Run, [field.column for field in _fields(Run)], rows)
    with _without_indexes(RunParam):
        _write(RunParam, [*KEYS, "number", "text"], _params(project.pk, numbers, ids, settings))
    with _without_indexes(RunMetric):
        _write(
            RunMetric,
            [*KEYS, "last", "minimum", "maximum"],
            _metrics(project.pk, numbers, ids, last, diverged),
        )
    _analyse()
    return project


def _settings(chosen: Mapping[str, Any], place: int) -> dict[str, Any]:
    return {
        "learning_rate": LEARNING_RATES[chosen["learning_rate"][place]],
        "optimizer": OPTIMIZERS[chosen["optimizer"][place]],
        "l2": PENALTIES[chosen["l2"][place]],
        "hidden_units": [64] * DEPTHS[chosen["depth"][place]],
        "seed": place % 5,
    }


def _template() -> dict[str, Any]:
    training = TrainingConfig(hidden_units=(64,), steps=1000).to_dict()
    return {"data": DataConfig(dataset="digits").to_dict(), "training": training}


def _runs(
    sweep: Any, ids: Any, settings: Sequence[Mapping[str, Any]], last: Any, diverged: Any
) -> Iterator[dict[str, Any]]:
    base = _template()
    accuracy = METRICS.index("val_accuracy")
    for place, own in enumerate(settings):
        began = FIRST + timedelta(minutes=place)
        values = dict(zip(METRICS, last[place].tolist(), strict=True))
        yield {
            "id": int(ids[place]),
            "project_id": sweep.project_id,
            "sweep_id": sweep.pk,
            "name": f"{'-'.join(map(str, own['hidden_units']))} relu seed {own['seed']} no {place}",
            "config": json.dumps({**base, "training": {**base["training"], **own}}),
            "summary": json.dumps({**values, "val_loss": "NaN"} if diverged[place] else values),
            "info": json.dumps({"layer_names": ["hidden 1", "output"], "target_unit": ""}),
            "group": f"{hash(str(own)) % 16**12:012x}",
            "dataset": "digits",
            "depth": len(own["hidden_units"]),
            "width": 64,
            "activation": "relu",
            "dropout": 0.0,
            "optimizer": own["optimizer"],
            "learning_rate": own["learning_rate"],
            "batch_size": 32,
            "seed": own["seed"],
            "parameters": 4096 * len(own["hidden_units"]),
            "steps_requested": 1000,
            "steps_run": 1000,
            "status": "finished",
            "attempt": 1,
            "queued_at": began,
            "started_at": began,
            "ended_at": began + timedelta(seconds=30 + place % 600),
            "stop_reason": "diverged" if diverged[place] else "end",
            "headline": "val_accuracy",
            "score": float(last[place, accuracy]),
        }


def _params(
    project: int, numbers: Mapping[str, int], ids: Any, settings: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Any, ...]]:
    fixed = flattened(_template())
    own = {
        repr(value): flattened({"training": {"value": value}})["training.value"]
        for one in settings
        for value in one.values()
    }
    for run_id, one in zip(ids.tolist(), settings, strict=True):
        named: dict[str, Param] = {f"training.{name}": own[repr(value)] for name, value in one.items()}
        for name, param in {**fixed, **named}.items():
            yield run_id, numbers[name], project, param.number, param.text


def _metrics(
    project: int, numbers: Mapping[str, int], ids: Any, last: Any, diverged: Any
) -> Iterator[tuple[Any, ...]]:
    for place, run_id in enumerate(ids.tolist()):
        for name, value in zip(METRICS, last[place].tolist(), strict=True):
            lost = diverged[place] and name == "val_loss"
            yield run_id, numbers[name], project, None if lost else value, value / 2, value * 2


class _without_indexes:  # noqa: N801 - reads as a statement
    """Drops a table's indexes and makes them again at the end: faster than keeping them up to date."""

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model

    def __enter__(self) -> None:
        with connection.schema_editor() as editor:
            for index in self._model._meta.indexes:
                editor.remove_index(self._model, index)

    def __exit__(self, *_: object) -> None:
        with connection.schema_editor() as editor:
            for index in self._model._meta.indexes:
                editor.add_index(self._model, index)


def _write(model: type[models.Model], columns: Sequence[str], rows: Any) -> None:
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    table = connection.ops.quote_name(model._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
                cursor.execute(statement)
        else:
            marks = ", ".join("%s" for _ in columns)
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)


def _prepared(model: type[models.Model], rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Any]]:
    """Write rows as the database takes them; what they leave out gets the model's default."""
    fields, blank = _fields(model), model()
    defaults = {
        field.attname: field.get_db_prep_save(getattr(blank, field.attname), connection) for field in fields
    }
    for row in rows:
        moments = {
            key: connection.ops.adapt_datetimefield_value(value)
            for key, value in row.items()
            if isinstance(value, datetime)
        }
        yield list({**defaults, **row, **moments}.values())


def _fields(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.column]


def _analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    print(build_many_runs(int(sys.argv[1])).get_absolute_url())
