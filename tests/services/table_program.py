"""What ``test_runs_table.py`` runs on each database: pages and plans of the runs table, as JSON."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django


def main(count: int) -> dict[str, Any]:
    """Fill a database with runs; what a few views of them give, and how they are found."""
    from django.http import QueryDict  # noqa: PLC0415 - django.setup() comes first

    from runs.models import RunMetric  # noqa: PLC0415
    from runs.reading.table import parse_table_query, plan_of  # noqa: PLC0415
    from tests.runs.many_runs import build_many_runs  # noqa: PLC0415

    project = build_many_runs(count)
    rows = RunMetric.objects.filter(name__text="weight_norm_2").values_list("last", "run")
    truth = [run for _, run in sorted(rows, key=lambda row: (row[0] or 0.0, row[1]), reverse=True)]

    def plan(address: str) -> str:
        query = parse_table_query(project, QueryDict(address))
        assert not query.warnings, query.warnings
        return str(plan_of(project, query)._with_value(query.after)[:51].explain())

    def walk(address: str) -> list[int]:
        query = parse_table_query(project, QueryDict(address))
        found: list[int] = []
        cursor = None
        while True:
            window = plan_of(project, query).window(500, after=cursor)
            found += window.runs
            if window.next is None:
                return found
            cursor = window.next

    filtered = set(
        RunMetric.objects.filter(
            name__text="weight_norm_2", run__optimizer="adam", run__metrics__name__text="spread_1",
            run__metrics__last__lte=0.5,
        ).values_list("run", flat=True)
    )  # fmt: skip
    return {
        "walks in order": walk("sort=-metric.weight_norm_2") == truth,
        "walks filtered": walk(
            "sort=-metric.weight_norm_2&param.training.optimizer=adam&metric.spread_1=..0.5"
        ) == [run for run in truth if run in filtered],
        "keeps those without a value": sorted(walk("sort=val_loss")) == sorted(truth),
        "plans": {
            address: plan(address)
            for address in (
                "sort=-metric.weight_norm_2",
                "sort=metric.weight_norm_2.max",
                "sort=-metric.weight_norm_2&after=50~7~0.5",
                "sort=-metric.weight_norm_2&status=finished&param.training.optimizer=!adam",
                "",
            )
        },
        "names": _race(),
    }  # fmt: skip


def _race() -> int:
    """Let four writers name the same hundred metrics at once; how many names there are."""
    from django.db import connection  # noqa: PLC0415

    from runs.models import Name, Run  # noqa: PLC0415
    from runs.store.metrics import MetricState, write_metrics  # noqa: PLC0415

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
    django.setup()
    print(json.dumps(main(int(sys.argv[1]))))
