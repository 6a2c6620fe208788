"""What ``test_runs_table.py`` runs on each database: pages and plans of the runs table, as JSON."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import django

django.setup()  # before models are imported

from django.db import connection  # noqa: E402
from django.http import QueryDict  # noqa: E402

from runs.models import Name, Run, RunMetric, RunParam  # noqa: E402
from runs.reading.table import parse_table_query, plan_of  # noqa: E402
from runs.store.metrics import MetricState, write_metrics  # noqa: E402
from runs.store.params import Param, flattened, write_params  # noqa: E402
from tests.runs.many_runs import build_many_runs  # noqa: E402

if TYPE_CHECKING:
    from runs.models import Project

SORT = "sort=-metric.weight_norm_2"
PLANS = (
    "",
    SORT,
    "sort=metric.weight_norm_2.max",
    f"{SORT}&after=50~7~0.5",
    f"{SORT}&status=finished&param.training.optimizer=!adam",
    "sort=-time",
    "sort=time&after=50~7~0.5",
)


def main(count: int) -> dict[str, Any]:
    """Fill the database with runs; what a few views of them give, and how they are found."""
    project = build_many_runs(count)
    rows = RunMetric.objects.filter(name__text="weight_norm_2")
    ordered = [
        run for run, _ in sorted(rows.values_list("run", "last"), key=lambda row: row[::-1], reverse=True)
    ]
    spread = {"run__metrics__name__text": "spread_1", "run__metrics__last__lte": 0.5}
    passing = set(rows.filter(run__optimizer="adam", **spread).values_list("run", flat=True))
    filters = "param.training.optimizer=adam&metric.spread_1=..0.5"
    return {
        "in order": walk(project, SORT) == ordered,
        "filtered": walk(project, f"{SORT}&{filters}") == [run for run in ordered if run in passing],
        "without a value": sorted(walk(project, "sort=val_loss")) == sorted(ordered),
        "plans": {address: plan(project, address) for address in PLANS},
        "names": race(),
        "parameters": parameters(project),
    }


def plan(project: Project, address: str) -> str:
    """How the database finds the first page of a view."""
    query = parse_table_query(project, QueryDict(address))
    return str(plan_of(project, query)._along_index(query.after)[:51].explain())


def walk(project: Project, address: str) -> list[int]:
    """The runs of all pages of a view."""
    query = parse_table_query(project, QueryDict(address))
    found: list[int] = []
    cursor = None
    while True:
        window = plan_of(project, query).window(500, after=cursor)
        found += window.runs
        cursor = window.next
        if cursor is None:
            return found


def parameters(project: Project) -> bool:
    """Whether the parameters of runs are stored as they are, whatever is in them."""
    config = {"a": 0.1, "b": True, "c": "tab\t, line\n, \\N and \\.", "d": "", "e": "\x00ü", "f": 10**400}
    runs = list(Run.objects.filter(project=project)[:3])
    for run in runs:
        run.config = config
        write_params(run)
    found = RunParam.objects.filter(run=runs[1]).values_list("name__text", "number", "text")
    return {name: Param(number, text) for name, number, text in found} == flattened(config)


def race() -> int:
    """Let four writers name the same hundred metrics at once; how many names there are."""

    def write(run: Run) -> None:
        try:
            values = {f"raced {number}": MetricState(number, number, number) for number in range(100)}
            write_metrics(run.pk, run.project_id, values)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, Run.objects.all()[:4]))
    return Name.objects.filter(text__startswith="raced").count()


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
