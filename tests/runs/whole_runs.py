"""Everything that training leaves of a run, to compare two runs to the last bit."""

from __future__ import annotations

from typing import Any

from runs.models import Alert, Run, RunMetric, Series
from runs.reading.series import read_series
from runs.store import trace

_OF_PEOPLE = {"id", "run_id", "created_at", "acknowledged_by_id", "muted_by_id"}
_OF_RUN = (
    "status",
    "stop_reason",
    "error",
    "steps_run",
    "summary",
    "score",
    "headline",
    "info",
    "tier",
    "isa",
)


def everything(run_id: int) -> dict[str, Any]:
    """Return all that training has stored of a run, but for times and measured costs."""
    return {
        "run": Run.objects.values(*_OF_RUN).get(pk=run_id),
        "series": _series(run_id),
        "trace": sorted(trace.read([run_id]).get(run_id, []), key=lambda note: (note["step"], note["kind"])),
        "alerts": [
            {name: value for name, value in row.items() if name not in _OF_PEOPLE}
            for row in Alert.objects.filter(run=run_id).order_by("check_id").values()
        ],
        "metrics": sorted(
            RunMetric.objects.filter(run=run_id).values_list("name__text", "last", "minimum", "maximum")
        ),
    }


def assert_same(one: int, other: int) -> None:
    """Fail, naming the part, where two runs differ in anything."""
    first, second = everything(one), everything(other)
    for part, found in first.items():
        assert found == second[part], part


def _series(run_id: int) -> dict[tuple[str, int | None], tuple[bytes, bytes]]:
    names = set(Series.objects.filter(run=run_id).values_list("metric", flat=True))
    return {
        (found.metric, found.layer): (found.steps.tobytes(), found.values.tobytes())
        for found in read_series([run_id], names)
    }
