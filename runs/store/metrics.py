"""How the metrics of a run stand, as typed rows: what the runs table sorts and filters by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runs.models import RunMetric
from runs.store.names import name_ids


class MetricState(NamedTuple):
    """The last, least and greatest value of a metric; None where there is no finite one."""

    last: float | None
    minimum: float | None
    maximum: float | None


def write_metrics(run_id: int, project_id: int, values: Mapping[str, MetricState]) -> None:
    """Write how these metrics of a run stand; its other metrics keep what was written before."""
    ids = name_ids(values)
    RunMetric.objects.bulk_create(
        (
            RunMetric(run_id=run_id, name_id=ids[name], project_id=project_id, **state._asdict())
            for name, state in values.items()
        ),
        update_conflicts=True,
        update_fields=MetricState._fields,
        unique_fields=["run", "name"],
    )
