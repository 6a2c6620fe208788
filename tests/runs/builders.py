"""Builders: rows as the product itself writes them, with as few words as a test needs."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import timedelta
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from nnlab.data.config import DataConfig
from nnlab.engine.config import TrainingConfig
from nnlab.engine.population import shape_key
from runs.models import Alert, Project, Run, Series, Status, Sweep
from runs.store.writing import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_numbers = count(1)

INFO = {
    "layer_names": ["hidden 1", "hidden 2", "output"],
    "widths": [16, 16, 10],
    "activations": ["relu", "relu", "linear"],
    "steps_per_epoch": 20,
    "baseline_loss": 2.3026,
    "baseline_metric": 0.1,
    "headline": "val_accuracy",
    "train_rows": 640,
    "validation_rows": 160,
    "target_unit": "",
}


def build_user(*rights: str, name: str | None = None, staff: bool = False) -> User:
    """Make a user with rights such as ``submit_sweep`` and ``stop_run``."""
    user = User.objects.create_user(name or f"user-{next(_numbers)}", password="a long passphrase")
    user.is_staff = staff
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def build_project(name: str = "", slug: str = "") -> Project:
    number = next(_numbers)
    return Project.objects.create(name=name or f"Project {number}", slug=slug or f"project-{number}")


def build_sweep(project: Project | None = None, name: str = "") -> Sweep:
    return Sweep.objects.create(
        project=project or build_project(), name=name or f"sweep {next(_numbers)}", specification={}
    )


def build_run(
    sweep: Sweep | None = None,
    *,
    project: Project | None = None,
    training: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Run:
    """Make a run, queued unless told otherwise; ``fields`` are columns of the run."""
    sweep = sweep or build_sweep(project)
    training_config = TrainingConfig(**{"hidden_units": (16, 16), "steps": 100, **(training or {})})
    data_config = DataConfig(**{"dataset": "digits", **(data or {})})
    config = {"data": data_config.to_dict(), "training": training_config.to_dict()}
    columns: dict[str, Any] = {
        "project": sweep.project,
        "sweep": sweep,
        "name": f"run {next(_numbers)}",
        "config": config,
        "group": group_of(config),
        "dataset": data_config.dataset,
        "seed": training_config.seed,
        "parameters": 714,
        "steps_requested": training_config.steps or 100,
        "info": dict(INFO),
        "headline": "val_accuracy",
        **_columns(training_config),
    }
    return Run.objects.create(**{**columns, **fields})


def build_running_run(sweep: Sweep | None = None, **fields: Any) -> Run:
    """Make a run that a worker holds at this moment."""
    now = timezone.now()
    alive: dict[str, Any] = {
        "status": Status.RUNNING,
        "attempt": 1,
        "token": uuid.uuid4(),
        "worker": "host-1:42",
        "lease_until": now + timedelta(seconds=30),
        "started_at": now - timedelta(seconds=5),
        "steps_run": 50,
    }
    return build_run(sweep, **{**alive, **fields})


def build_finished_run(sweep: Sweep | None = None, *, score: float | None = 0.9, **fields: Any) -> Run:
    """Make a run that trained to its last step; give ``stop_reason="diverged"`` for one that did not."""
    now = timezone.now()
    over: dict[str, Any] = {
        "status": Status.FINISHED,
        "attempt": 1,
        "started_at": now - timedelta(seconds=41),
        "ended_at": now,
        "stop_reason": "end",
        "steps_run": 100,
        "score": score,
        "summary": {"val_loss": 0.3, "val_accuracy": "NaN" if score is None else score},
    }
    return build_run(sweep, **{**over, **fields})


def build_series(
    run: Run,
    metric: str,
    values: Sequence[float] | np.ndarray[Any, Any],
    *,
    layer: int | None = None,
    steps: Sequence[int] | None = None,
    chunk_sizes: Sequence[int] | None = None,
) -> Series:
    """Store a series, sealed in chunks of these sizes and one of the rest; steps default to 1, 2, ..."""
    floats = np.asarray(values, np.float64)
    all_steps = np.arange(1, len(floats) + 1) if steps is None else np.asarray(steps, np.int64)
    edges = np.minimum(np.cumsum([0, *(chunk_sizes or []), len(floats)]), len(floats))
    for start, stop in pairwise(edges):
        if stop > start:
            write(run.pk, {(metric, layer): (all_steps[start:stop], floats[start:stop])}, final=True)
    return Series.objects.get(run=run, metric=metric, layer=layer)


def extend_series(series: Series, values: Sequence[float], *, steps: Sequence[int] | None = None) -> None:
    """Append points to a stored series, as a later flush of the recorder does; they stay in the journal."""
    first = (series.last_step or 0) + 1
    all_steps = np.arange(first, first + len(values)) if steps is None else np.asarray(steps, np.int64)
    write(series.run_id, {(series.metric, series.layer): (all_steps, np.asarray(values, np.float64))})
    series.last_step = int(all_steps[-1])


def build_alert(run: Run, check_id: str = "vanishing", **fields: Any) -> Alert:
    columns: dict[str, Any] = {
        "run": run,
        "check_id": check_id,
        "state": "open",
        "severity": "warning",
        "first_step": 3,
        "opened_step": 40,
        "last_step": 90,
        "layers": [0],
        "layer_names": ["hidden 1"],
        "value": 2e-9,
        "threshold": 1e-6,
        "title": "Vanishing gradient: hidden 1",
        "cause": "The sigmoid's derivative is at most 1/4, so gradients shrink from layer to layer.",
        "evidence": {"ratio": 2e-9, "layer": "hidden 1", "missing": "NaN"},
        "advice": [
            {
                "code": "A1",
                "title": "Use ReLU instead of sigmoid",
                "reason": "ReLU's derivative is 1 where it is active.",
                "ops": [{"op": "set", "path": "activation", "value": "relu", "old": "sigmoid"}],
            },
        ],
        "thresholds_hash": "0123456789ab",
    }
    return Alert.objects.create(**{**columns, **fields})


def group_of(config: Mapping[str, Any]) -> str:
    training = {key: value for key, value in config["training"].items() if key != "seed"}
    text = json.dumps({"data": config["data"], "training": training}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _columns(config: TrainingConfig) -> dict[str, Any]:
    widths, dropouts = set(config.hidden_units), set(config.dropouts)
    return {
        "depth": len(config.hidden_units),
        "width": widths.pop() if len(widths) == 1 else None,
        "activation": ", ".join(dict.fromkeys(config.activations)) or "none",
        "dropout": max(dropouts, default=0.0) if len(dropouts) < 2 else None,
        "optimizer": config.optimizer,
        "learning_rate": config.learning_rate,
        "batch_size": config.batch_size,
        "shape_key": shape_key(config),
    }
