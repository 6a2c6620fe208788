"""How the metrics of a run stand: the typed rows of the runs table, brought up to date now and then."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from time import monotonic

from nnlab.series.batch import Key
from nnlab.series.summaries import Summary
from runs.models import Run, Series
from runs.store import journal
from runs.store.metrics import MetricState, write_metrics
from runs.store.tails import summary_of

REFRESH_SECONDS = 5.0  # of a run that is written to
_MAX_RUNS = 1_000  # that a process remembers to have refreshed

_refreshed: OrderedDict[int, float] = OrderedDict()
_lock = Lock()


def is_due(run_id: int) -> bool:
    """Whether this process has not refreshed a run for a while; it counts as done from now on."""
    now = monotonic()
    with _lock:
        if now - _refreshed.get(run_id, float("-inf")) < REFRESH_SECONDS:
            return False
        _refreshed[run_id] = now
        _refreshed.move_to_end(run_id)
        while len(_refreshed) > _MAX_RUNS:
            _refreshed.popitem(last=False)
        return True


def refresh(run_id: int) -> None:
    """Write how the metrics of the whole run stand."""
    project_id = Run.objects.values_list("project_id", flat=True).get(pk=run_id)
    states = {
        metric: MetricState(found.last, found.minimum, found.maximum)
        for metric, found in standings(run_id).items()
        if not metric.startswith("_")  # ours, such as the clock
    }
    write_metrics(run_id, project_id, states)


def standings(run_id: int) -> dict[str, Summary]:
    """Compute how the metrics of the whole run stand, what is not folded yet among them."""
    stored = Series.objects.filter(run_id=run_id, layer=None).order_by("number")
    found = {series.metric: summary_of(series) for series in stored}
    wanted: set[Key] = {(metric, None) for metric in found}
    for (metric, _), points in journal.decoded(journal.blobs([run_id]).get(run_id, []), wanted).items():
        found[metric] = found[metric].extended(*points)
    return found
