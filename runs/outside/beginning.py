"""Begin an outside run, and say more of it later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from nnlab.series.errors import SeriesError
from nnlab.series.names import checked_metric
from runs import attempts, lifecycle
from runs.models import Run, Source, Sweep
from runs.outside import configuration
from runs.outside.errors import ClosedError
from runs.outside.hearing import listened
from runs.store.params import write_params
from runs.submission import project_named, project_slug
from runs.submitted.specification import SubmissionError
from runs.submitted.values import Faults, read_label, read_table

MAX_HEADLINE = 30  # characters
_KEYS = frozenset({"project", "name", "config", "headline", "client_id"})


@dataclass(frozen=True)
class Beginning:
    """A checked request to begin a run.

    Args:
        client_id: what the program calls the run, so that a request sent twice begins one run.
    """

    project: str
    name: str
    config: Mapping[str, Any]
    headline: str = ""
    client_id: UUID | None = None


def parse(table: Mapping[str, Any]) -> Beginning:
    """Check a request.

    Raises:
        SubmissionError: with all that is wrong, by field.
    """
    faults = Faults()
    for key in sorted(table.keys() - _KEYS):
        faults.note(key[:60], f"expected one of {', '.join(sorted(_KEYS))}, got {key[:60]!r}")
    project = faults.collect(read_label, "project", table.get("project"))
    name = faults.collect(read_label, "name", table.get("name"))
    config = faults.collect(read_table, "config", table.get("config") or {})
    found: dict[str, Any] = {}
    for field, read in (("headline", _headline), ("client_id", _client_id)):
        try:
            found[field] = read(table.get(field))
        except ValueError as error:
            faults.note(field, str(error))
    if faults.found or project is None or name is None or config is None:
        raise SubmissionError(faults.found)
    project_slug(project)
    return Beginning(project, name, configuration.checked(config), **found)


def begin(beginning: Beginning, user: AbstractBaseUser) -> tuple[Run, bool]:
    """Begin a run; return it, and whether it is new.

    A run whose ``client_id`` is known is returned as it stands, over or not.

    Raises:
        ClosedError: if that run is in the trash, or somebody else's.
    """
    if (known := _known(beginning, user)) is not None:
        return known, False
    try:
        with transaction.atomic():
            return _begun(beginning, user), True
    except IntegrityError:  # the same request, sent twice, was a little faster
        if (known := _known(beginning, user)) is None:
            raise
        return known, False


def configure(run_id: int, parameters: Mapping[str, Any]) -> None:
    """Add parameters to a run's configuration, and fill its columns anew.

    Raises:
        NoRunError: if there is no such run.
        ClosedError: if the run takes nothing now.
        SubmissionError: if the whole cannot be stored; nothing is changed then.
    """
    with transaction.atomic():
        listened(run_id)
        run = Run.objects.get(pk=run_id)
        run.config = configuration.checked(configuration.merged(run.config, parameters))
        filled = configuration.columns(run.config)
        Run.objects.filter(pk=run_id).update(config=run.config, **filled)
        write_params(run)


def _known(beginning: Beginning, user: AbstractBaseUser) -> Run | None:
    if beginning.client_id is None:
        return None
    known = Run.objects.select_related("project", "sweep").filter(client_id=beginning.client_id).first()
    if known is not None and known.sweep.created_by_id != user.pk:
        raise ClosedError("a run of somebody else has this client_id; use another one")
    if known is not None and known.deleted_at:
        raise ClosedError(
            f"run {known.pk} has this client_id and is in the trash; restore it, or use another client_id"
        )
    return known


def _begun(beginning: Beginning, user: AbstractBaseUser) -> Run:
    project = project_named(beginning.project)
    sweep = Sweep.objects.create(
        project=project,
        name=beginning.name,
        specification={"project": beginning.project, "name": beginning.name, "source": Source.OUTSIDE},
        created_by_id=user.pk,
    )
    run = Run.objects.create(
        project=project,
        sweep=sweep,
        name=beginning.name,
        source=Source.OUTSIDE,
        client_id=beginning.client_id,
        config=beginning.config,
        headline=beginning.headline,
        attempt=1,
        started_at=Now(),
        **configuration.columns(beginning.config),
        **lifecycle.held_outside(),
    )
    attempts.begin_outside(run.pk)
    write_params(run)
    return Run.objects.select_related("project").get(pk=run.pk)


def _headline(value: Any) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise SeriesError(f"headline: expected the name of a metric, got {type(value).__name__}")
    if len(value) > MAX_HEADLINE:
        raise SeriesError(f"headline: expected at most {MAX_HEADLINE} characters, got {len(value)}")
    return checked_metric(value)


def _client_id(value: Any) -> UUID | None:
    if value is None:
        return None
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"client_id: expected a UUID, got {str(value)[:60]!r}") from error
