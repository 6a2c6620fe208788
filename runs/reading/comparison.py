"""The runs that an address chooses for a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from runs.models import Project, Run, Sweep
from runs.reading.series import metric_names
from runs.reading.table import TableQuery, parse_table_query, runs_of

MAX_RUNS = 500  # more lines and dots than anybody can tell apart
_PAGE_FIELDS = ("runs", "metric", "color", "facet")


@dataclass(frozen=True)
class Selection:
    """The runs to compare.

    Args:
        matching: number of runs that the address means; ``runs`` is empty where they are too many.
        sweep: the one sweep that all of them belong to, if the address names it.
        metrics: names of the metrics that any of the runs has.
        warnings: what the address asked in vain, a sentence each.
        limit: the most runs that are compared at once.
    """

    query: TableQuery
    runs: Sequence[Run]
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


def select(project: Project, parameters: QueryDict, numbers: Iterable[int]) -> Selection:
    """Find the runs of a comparison.

    Args:
        project: whose runs are compared.
        parameters: of the request; the runs table's filters count here too.
        numbers: runs that the address names one by one; none of them means all that match.
    """
    query = parse_table_query(project, parameters, ignored=_PAGE_FIELDS)
    runs = runs_of(project, query).order_by("pk")
    wanted = list(numbers)[: MAX_RUNS + 1]
    if wanted:
        runs = runs.filter(pk__in=wanted)
    matching = runs.count()
    found = list(runs) if matching <= MAX_RUNS else []
    warnings = list(query.warnings)
    absent = len(set(wanted)) - matching
    if wanted and absent > 0:
        warnings.append(f"{absent} of the {len(set(wanted))} runs named are not among this project's runs.")
    sweep = None
    if query.filters.get("sweep", "").isdecimal():
        sweep = Sweep.objects.filter(pk=int(query.filters["sweep"]), project=project).first()
    return Selection(
        query, found, matching, sweep, metric_names([run.pk for run in found]), warnings, MAX_RUNS
    )
