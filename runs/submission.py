"""The one way in: a checked specification becomes a sweep, runs and wake-ups, in one transaction.

Form, admin, API and command line end here. The rows are the truth; a wake-up that the broker does not take
is sent again by the reconciler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import slugify

from nnlab.engine.config import TrainingConfig
from nnlab.engine.population import shape_key
from runs import bounds, lifecycle, queue
from runs.estimating.estimate import expected_seconds, needed_mb
from runs.models import Project, Run, Search, Source, Sweep, Trial
from runs.store import new_runs
from runs.store.params import write_params_of
from runs.submitted import specification
from runs.submitted.job import Job
from runs.submitted.networks import Limits
from runs.submitted.specification import Planned, Specification, SubmissionError

_AT_ONCE = 500  # trials in a statement
HOPELESS = 1.5  # times its limit: the estimate of a network's memory is on the safe side
_NAMED = ("depth", "width", "hidden_units", "activation", "dropout")  # axes that a run's name shows anyway


def parse(mapping: Mapping[str, Any]) -> Specification:
    """Check a submission under this installation's limits.

    Raises:
        SubmissionError: with all that is wrong, by field.
    """
    limits = Limits(
        settings.MAX_RUNS_PER_SWEEP,
        settings.MAX_STEPS_PER_RUN,
        settings.MAX_RUN_TIME_LIMIT,
        settings.MAX_RUN_MEMORY_LIMIT_MB,
    )
    spec = specification.parse(mapping, csv_folder=settings.CSV_FOLDER, limits=limits)
    project_slug(spec.project)
    _check_memory(spec)
    return spec


def submit(
    spec: Specification, user: AbstractBaseUser | AnonymousUser | None, *, parent: Run | None = None
) -> Sweep:
    """Store a sweep with its runs and wake the workers once that is committed.

    Args:
        parent: the run that this one was cloned from.
    """
    alone = spec.name if len(spec.runs) == 1 else ""
    planned = [(spec, one, alone or _name(one.training, spec.axes)) for one in spec.runs]
    return _store(spec.canonical, planned, user, parent)


def submit_together(
    parts: Mapping[str, Specification],
    user: AbstractBaseUser | AnonymousUser | None,
    *,
    parent: Run | None = None,
) -> Sweep:
    """Store several specifications of one project and name as one sweep.

    Args:
        parts: by the word that the names of their runs begin with.
        parent: the run that they are derived from.

    Raises:
        SubmissionError: for more runs than a sweep may have.
    """
    planned = [
        (spec, one, f"{word}: {_name(one.training, spec.axes)}"[:100])
        for word, spec in parts.items()
        for one in spec.runs
    ]
    if len(planned) > settings.MAX_RUNS_PER_SWEEP:
        most = settings.MAX_RUNS_PER_SWEEP
        raise SubmissionError(
            {"seeds": [f"seeds: expected at most {most:,} runs, got {len(planned):,}; try fewer seeds"]}
        )
    return _store({word: spec.canonical for word, spec in parts.items()}, planned, user, parent)


def clone(run: Run, user: AbstractBaseUser | AnonymousUser | None) -> Run:
    """Submit a run's configuration again, as it is.

    Raises:
        SubmissionError: if what was possible then is no longer, such as a CSV file that is gone, and for a
            run that a program outside trained.
    """
    if run.source == Source.OUTSIDE:
        raise SubmissionError(
            {"run": [f"run {run.pk} was trained by a program outside; only that program can train it again"]}
        )
    sweep = submit(parse(as_mapping(run)), user, parent=run)
    return sweep.runs.get()


def as_mapping(run: Run) -> dict[str, Any]:
    """Describe one run as a submission of its own."""
    training = dict(run.config["training"])
    seed = training.pop("seed")
    job = Job(run.queue, run.priority, run.time_limit, run.memory_limit_mb)
    return {
        "project": run.project.slug,
        "name": run.name,
        "data": run.config["data"],
        "training": training,
        "seeds": [seed],
        **({"job": job.changed} if job.changed else {}),
    }


def project_slug(name: str) -> str:
    """Turn a project's name into its address.

    Raises:
        SubmissionError: for a name without letters and digits.
    """
    slug = slugify(name, allow_unicode=True)[:60]
    if not slug:
        raise SubmissionError({"project": [f"project: expected some letters or digits, got {name!r}"]})
    return slug


def project_named(name: str) -> Project:
    """Return the project of a name; it is made where there is none."""
    project, _ = Project.objects.get_or_create(slug=project_slug(name), defaults={"name": name})
    return project


def network_name(config: TrainingConfig, axes: Iterable[str]) -> str:
    """Name a configuration by its layers and by those axes of a grid that its layers do not show."""
    layers = "-".join(str(width) for width in config.hidden_units)
    kinds = ", ".join(dict.fromkeys(config.activations)) or "linear"
    parts = [layers, kinds, f"dropout {max(config.dropouts):g}" if any(config.dropouts) else ""]
    parts += [f"{axis.replace('_', ' ')} {getattr(config, axis)}" for axis in axes if axis not in _NAMED]
    return " ".join(part for part in parts if part)


def _store(
    submitted: Mapping[str, Any],
    planned: Sequence[tuple[Specification, Planned, str]],
    user: AbstractBaseUser | AnonymousUser | None,
    parent: Run | None,
) -> Sweep:
    """Store a sweep with its runs, each with its name; wake the workers once that is committed."""
    spec = planned[0][0]
    with transaction.atomic():
        project = project_named(spec.project)
        why_not = bounds.why_not_queued(project, user.pk if user else None, len(planned))
        if why_not:
            raise SubmissionError({"project": [f"project: {why_not}"]})
        sweep = Sweep.objects.create(
            project=project,
            name=spec.name,
            specification=submitted,
            created_by_id=user.pk if user else None,
        )
        trials: dict[int, Trial] = {}
        if spec.search is not None:
            search = Search.objects.create(
                sweep=sweep,
                metric=spec.goal,
                trials_wanted=spec.all_runs // len(spec.seeds),
                closed_at=None if spec.all_runs > len(spec.runs) else Now(),
            )
            trials = add_trials(search, {one.trial or 0: one.point for one in spec.runs})
        _add_runs(planned, sweep, parent, trials)
    return sweep


def add_trials(search: Search, points: Mapping[int, Mapping[str, Any]]) -> dict[int, Trial]:
    """Store trials of a search by their numbers."""
    made = Trial.objects.bulk_create(
        (Trial(search=search, number=number, point=point) for number, point in points.items()),
        batch_size=_AT_ONCE,
    )
    return {trial.number: trial for trial in made}


def add_runs(
    sweep: Sweep, spec: Specification, planned: Iterable[Planned], trials: Mapping[int, Trial]
) -> None:
    """Store runs of later trials, within a transaction; the workers are woken once it is committed."""
    _add_runs([(spec, one, _name(one.training, spec.axes)) for one in planned], sweep, None, trials)


def _add_runs(
    planned: Sequence[tuple[Specification, Planned, str]],
    sweep: Sweep,
    parent: Run | None,
    trials: Mapping[int, Trial],
) -> None:
    places = count(lifecycle.end_of_queue())
    runs = [
        _run(spec, one, sweep, parent=parent, name=name, place=next(places), trials=trials)
        for spec, one, name in planned
    ]
    expected = expected_seconds(((spec, one) for spec, one, _ in planned), planned[0][0].job.queue)
    for run, (_, one, _) in zip(runs, planned, strict=True):
        run.expected_seconds = expected.get((one.group, one.steps))
    new_runs.insert(runs)
    write_params_of(runs)
    queue.wake_on_commit({run.queue for run in runs})


def _run(
    spec: Specification,
    planned: Planned,
    sweep: Sweep,
    *,
    parent: Run | None,
    name: str,
    place: float,
    trials: Mapping[int, Trial],
) -> Run:
    config = planned.training
    widths = set(config.hidden_units)
    dropouts = set(config.dropouts)
    return Run(
        project=sweep.project,
        sweep=sweep,
        trial=None if planned.trial is None else trials[planned.trial],
        parent=parent,
        name=name,
        config={"data": spec.data.to_dict(), "training": config.to_dict()},
        group=planned.group,
        dataset=spec.data.dataset,
        depth=len(config.hidden_units),
        width=widths.pop() if len(widths) == 1 else None,
        activation=", ".join(dict.fromkeys(config.activations)) or "none",
        dropout=(dropouts.pop() if len(dropouts) == 1 else None) if dropouts else 0.0,
        optimizer=config.optimizer,
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
        seed=config.seed,
        parameters=planned.parameters,
        steps_requested=planned.steps,
        shape_key=shape_key(config),
        place=place,
        **asdict(spec.job),
    )


def _check_memory(spec: Specification) -> None:
    """Refuse networks that have no chance within their limit; what is less clear, training itself shows."""
    limit = spec.job.memory_limit_mb or settings.RUN_MEMORY_LIMIT_MB
    most = max(needed_mb(spec, one) for one in {run.group: run for run in spec.runs}.values())
    if most > HOPELESS * limit:
        text = (
            f"memory_limit_mb: expected networks that fit into {limit:,} MB, got one that needs about"
            f" {most:,} MB; use narrower layers or a smaller batch, or a limit of up to"
            f" {settings.MAX_RUN_MEMORY_LIMIT_MB:,} MB"
        )
        raise SubmissionError({"memory_limit_mb": [text]})


def _name(config: TrainingConfig, axes: Iterable[str]) -> str:
    """Name a run of a sweep by what tells it from the others: its network, what else was varied, its seed."""
    return f"{network_name(config, axes)} seed {config.seed}"[:100]
