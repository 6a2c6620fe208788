"""The comparison as JSON. It stands beside its page, whose address language and statistics it shares."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from nnlab.stats.intervals import Interval
from runs.models import Project
from runs.pages.comparing.comparison import Comparison, Group
from runs.pages.comparing.factors import confounded_text, effects_of
from runs.pages.comparing.groups import test_interval
from runs.pages.comparing.page import Compared, compared_runs
from runs.pages.comparing.view import CompareView

MAX_GROUPS = 5_000
OWN = frozenset({"limit", "skip", "effects"})

router = Router()


class IntervalOut(Schema):
    """A mean over seeds with its 95 % t interval, whose ends are null for one seed."""

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


class BestOut(Schema):
    """The run of a group with the best final value."""

    id: int
    name: str
    value: float


class GroupOut(Schema):
    """Runs that differ by their seed only; ``value`` and ``test`` are null where no run ended with one.

    ``test`` is of the group that validation chose, the first of all; ``tests=all`` gives that of every group.
    """

    key: str
    label: str
    levels: dict[str, Any]
    runs: list[int]
    value: IntervalOut | None
    test: IntervalOut | None
    diverged: int
    without_result: int
    best: BestOut | None


class LevelOut(Schema):
    """What one level of a factor comes to with the others averaged; null where it cannot be compared.

    ``plain`` is the mean of all its runs, whatever else they had.
    """

    level: Any
    n: int
    mean: float | None
    low: float | None
    high: float | None
    plain: float | None
    runs: int
    diverged: int


class FactorOut(Schema):
    """A factor with its levels; the rest where ``effects`` were asked for.

    ``confounded`` says where the plain means of all runs would tell something else; empty where they do not.
    """

    name: str
    levels: list[Any]
    effects: list[LevelOut] | None = None
    caption: str = ""
    confounded: str = ""


class ComparisonOut(Schema):
    """A comparison; ``groups`` the best first, ``skip`` and ``limit`` of all ``groups_total``."""

    runs_total: int
    groups_total: int
    metric: str
    unit: str
    higher_is_better: bool
    test_metric: str
    caution: str
    metrics: list[str]
    factors: list[FactorOut]
    groups: list[GroupOut]
    address: str


@router.get(
    "/projects/{slug}/comparison", response=ComparisonOut, summary="Runs compared, in groups over seeds"
)
def read_comparison(
    request: HttpRequest,
    slug: str,
    limit: Annotated[int, Field(ge=0, le=MAX_GROUPS)] = 1_000,
    skip: Annotated[int, Field(ge=0, lt=2**31)] = 0,
    effects: bool = False,
) -> dict[str, Any]:
    """Give what the compare page says of the runs that the address chooses.

    The address is the page's: ``runs=12,15``, ``sweep=4`` or any filter of the runs table, and ``metric=``.
    What only says how to draw is read and changes nothing. A group is one configuration with all its seeds;
    what it comes to never depends on what else is listed. ``effects=true`` adds what each level of a factor
    does, the others averaged with equal weight. ``address`` is the query of the page that shows the same.
    """
    project = get_object_or_404(Project, slug=slug)
    found = compared_runs(project, request.GET, ignored=OWN)
    if found.warnings:
        raise HttpError(422, " ".join(found.warnings))
    if found.comparison is None:
        return _nothing(found)
    return {
        **_told(found, found.comparison, skip, limit),
        "factors": _factors(found.comparison, effects=effects),
    }


def _told(found: Compared, comparison: Comparison, skip: int, limit: int) -> dict[str, Any]:
    return {
        "runs_total": len(comparison.members),
        "groups_total": len(comparison.groups),
        "metric": comparison.metric,
        "unit": comparison.unit,
        "higher_is_better": comparison.higher,
        "test_metric": comparison.test,
        "caution": comparison.caution,
        "metrics": found.metrics,
        "groups": [_group(group, comparison, found.view) for group in comparison.groups[skip : skip + limit]],
        "address": found.view.address(),
    }


def _nothing(found: Compared) -> dict[str, Any]:
    if found.selection.matching:
        raise HttpError(
            422,
            f"{found.selection.matching:,} runs match, and at most {found.selection.limit:,} can be"
            " compared at once; add a filter",
        )
    return {
        "runs_total": 0, "groups_total": 0, "metric": "", "unit": "", "higher_is_better": False,
        "test_metric": "", "caution": "", "metrics": [], "factors": [], "groups": [],
        "address": found.view.address(),
    }  # fmt: skip


def _group(group: Group, comparison: Comparison, view: CompareView) -> dict[str, Any]:
    best = group.best
    return {
        "key": group.key,
        "label": group.label,
        "levels": dict(group.levels),
        "runs": [member.run.pk for member in group.members],
        "value": _interval(group.interval),
        "test": _interval(test_interval(group, comparison, view)),
        "diverged": group.diverged,
        "without_result": group.without_result,
        "best": best and {"id": best.run.pk, "name": best.run.name, "value": best.value},
    }


def _interval(found: Interval | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"n": found.n, "mean": found.mean, "sd": found.sd, "low": found.low, "high": found.high}


def _factors(comparison: Comparison, *, effects: bool) -> list[dict[str, Any]]:
    found = effects_of(comparison) if effects else {}
    return [
        {
            "name": factor,
            "levels": list(levels),
            "effects": [
                {**vars(level), "plain": level.plain, "runs": len(level.runs)}
                for level in found[factor].levels
            ] if factor in found else None,
            "caption": found[factor].caption if factor in found else "",
            "confounded": confounded_text(comparison, found[factor], scale=comparison.scale)
            if factor in found else "",
        }
        for factor, levels in comparison.factors.items()
    ]  # fmt: skip
