"""The runs that an address chooses for a comparison, however many: a row of columns each, never more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum
from django.db.models.fields.json import KeyTransform
from django.http import QueryDict
from django.urls import reverse

from runs.models import Project, Run, RunMetric, Series, Sweep
from runs.models.states import HALTED, OVER
from runs.reading.table import TableQuery, parse_table_query, runs_of

MAX_RUNS = 20_000  # what a page can be made of while somebody waits


class RunRow(NamedTuple):
    """What a comparison knows of a run: columns of its row, and nothing of its configuration or points."""

    pk: int
    name: str
    group: str
    source: str
    status: str
    stop_reason: str
    headline: str
    dataset: str
    depth: int | None
    width: int | None
    activation: str
    dropout: float | None
    optimizer: str
    learning_rate: float | None
    batch_size: int | None
    seed: int | None
    parameters: int | None
    steps_run: int
    started_at: datetime | None
    ended_at: datetime | None
    target_unit: str | None
    steps_per_epoch: int | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self.status in OVER

    @property
    def diverged(self) -> bool:
        """Whether the run ended because its numbers stopped being finite."""
        return self.stop_reason == "diverged"

    @property
    def replicate(self) -> Hashable:
        """What it repeats its configuration by: the seed; a run that never said one stands for itself."""
        return ("run", self.pk) if self.seed is None else self.seed

    @property
    def was_halted(self) -> bool:
        """Whether a search stopped it before its end: its score is of less training than others'."""
        return self.stop_reason in HALTED

    def get_absolute_url(self) -> str:
        """Return the address of the run's page."""
        return reverse("run", args=[self.pk])


@dataclass(frozen=True)
class Selection:
    """The runs to compare.

    Args:
        found: a query of the runs.
        matching: number of runs that the address means; ``runs`` is empty where they are too many.
        sweep: the one sweep that all of them belong to, if the address names it.
        metrics: names of the metrics that any of the runs has.
        warnings: what the address asked in vain, a sentence each.
        limit: the most runs that are compared at once.
    """

    query: TableQuery
    found: QuerySet[Run]
    runs: Sequence[RunRow]
    matching: int
    sweep: Sweep | None
    metrics: Sequence[str]
    warnings: Sequence[str]
    limit: int

    @property
    def headline(self) -> str:
        """The metric that most of the runs are judged by."""
        counts = Counter(run.headline for run in self.runs if run.headline)
        return counts.most_common(1)[0][0] if counts else "val_loss"


def select(
    project: Project, parameters: QueryDict, numbers: Iterable[int], *, ignored: Collection[str] = ()
) -> Selection:
    """Find the runs of a comparison.

    Args:
        project: whose runs are compared.
        parameters: of the request; the runs table's filters count here too.
        numbers: runs that the address names one by one; none of them means all that match.
        ignored: fields of the address that say how to look at the runs.
    """
    query = parse_table_query(project, parameters, ignored={"runs", *ignored})
    wanted = list(numbers)[: MAX_RUNS + 1]
    found = runs_of(project, query)
    if wanted:  # who names a run means it, archived or not
        named = replace(query, filters={**query.filters, "archived": "0,1"})
        found = runs_of(project, named).filter(pk__in=wanted)
    matching = found.count()
    runs = read_rows(found) if matching <= MAX_RUNS else []
    warnings = list(query.warnings)
    absent = len(set(wanted)) - matching
    if wanted and absent > 0:
        warnings.append(f"{absent} of the {len(set(wanted))} runs named are not among this project's runs.")
    metrics = _metric_names(found) if runs else []
    return Selection(query, found, runs, matching, _sweep(project, query), metrics, warnings, MAX_RUNS)


def read_rows(runs: QuerySet[Run]) -> list[RunRow]:
    """Read what a comparison knows of runs, the oldest first."""
    info = {name: KeyTransform(name, "info") for name in RunRow._fields[-2:]}
    return [RunRow(*row) for row in runs.order_by("pk").values_list(*RunRow._fields[:-2], *info.values())]


def final_values(runs: QuerySet[Run], metric: str) -> Mapping[int, Any]:
    """Return how a metric stood at the end, of each run that has it: a number, or a word such as "NaN"."""
    found = runs.order_by().values_list("pk", KeyTransform(metric, "summary"))
    return {run_id: value for run_id, value in found if value is not None}


def points_of(run_ids: Collection[int], metric: str) -> int:
    """Count the sealed points of a metric of whole runs."""
    series = Series.objects.filter(run_id__in=run_ids, metric=metric, layer=None)
    return int(series.aggregate(total=Sum("points"))["total"] or 0)


def _metric_names(runs: QuerySet[Run]) -> list[str]:
    rows = RunMetric.objects.filter(run__in=runs.order_by().values("pk"))
    return sorted(rows.order_by().values_list("name__text", flat=True).distinct())


def _sweep(project: Project, query: TableQuery) -> Sweep | None:
    number = query.filters.get("sweep", "")
    return Sweep.objects.filter(pk=int(number), project=project).first() if number.isdecimal() else None
