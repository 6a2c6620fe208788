"""What changed between the configurations of a project, with the filters of its page."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from runs.api.schemas import Word
from runs.models import Project
from runs.reading.changes import Setup, Step, changes_of
from runs.reading.table import parse_table_query

MAX_STEPS = 500
_OWN = ("metric", "knob", "first", "limit")

router = Router()


class ConfigurationOut(Schema):
    """A configuration: its group, its newest run, and the score of each seed, null where it diverged."""

    group: str
    run: int
    scores: dict[str, float | None]


class ChangeOut(Schema):
    """A knob and its values; null where a configuration lacks it."""

    knob: str
    before: float | int | str | None
    after: float | int | str | None


class StepOut(Schema):
    """From one configuration to another; the difference is over the shared seeds, null without an interval.

    ``p_value`` is corrected after Holm for all controlled pairs that the filters let through; null where a
    control is missing, for then nothing is tested.
    """

    changes: list[ChangeOut]
    before: ConfigurationOut
    after: ConfigurationOut
    seeds: list[int | None]
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


class ChangesOut(Schema):
    """Controlled pairs, the largest difference first, and ``confounded`` ones that lack a control.

    ``total`` and ``open`` count all of either; ``left_out`` configurations are older than the newest 5,000.
    """

    dataset: str
    metric: str
    configurations: int
    left_out: int
    knobs: dict[str, int]
    total: int
    steps: list[StepOut]
    open: int
    confounded: list[StepOut]


@router.get("/projects/{slug}/changes", response=ChangesOut, summary="What changed between configurations")
def list_changes(
    request: HttpRequest,
    slug: Word,
    metric: Word = "",
    knob: Word = "",
    first: Annotated[int, Field(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Field(ge=1, le=MAX_STEPS)] = 50,
) -> dict[str, Any]:
    """Give the pairs of configurations that differ in one knob, from place ``first`` on, and confounded ones.

    Filters are those of the project's runs table, such as ``dataset=digits`` and ``depth=2..4``. Without a
    ``metric`` it is the one that most configurations are judged by.
    """
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise HttpError(404, f"there is no project {slug!r}")
    query = parse_table_query(project, request.GET, ignored=_OWN)
    if query.warnings:
        raise HttpError(422, " ".join(query.warnings))
    found = changes_of(project, query, metric=metric, knob=knob, first=first, count=limit)
    return {
        "dataset": found.scope.dataset if found.scope else "",
        "metric": found.scope.metric if found.scope else "",
        "configurations": found.groups,
        "left_out": found.left_out,
        "knobs": found.knobs or {},
        "total": found.total,
        "steps": [_step(step) for step in found.steps],
        "open": found.open,
        "confounded": [_step(step) for step in found.confounded],
    }


def _step(step: Step) -> dict[str, Any]:
    made = step.difference
    return {
        "changes": [{"knob": one.knob, "before": one.before, "after": one.after} for one in step.changes],
        "before": _configuration(step.before),
        "after": _configuration(step.after),
        "seeds": list(step.shared),
        "difference": made and made.mean,
        "low": made and made.low,
        "high": made and made.high,
        "p_value": step.p_value,
    }


def _configuration(setup: Setup) -> dict[str, Any]:
    scores = {str(seed): value for seed, value in setup.values.items()}
    return {"group": setup.key, "run": setup.run, "scores": scores}
