"""How the installation stands now: runs, queues, workers, alerts, notices and what is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Count, F, Max, Sum
from django.db.models.functions import Now
from prometheus_client import Metric

from nnlab.recent import Recent
from runs import workers
from runs.models import Alert, Attempt, Ledger, Notice, Queue, Run, Series, Source, Status, Worker
from runs.models.alerts import Severity
from runs.models.durations import Seconds
from runs.reading.workers import State, state_of
from runs.telemetry.families import Labels, gauge, gauges

SIZES_SECONDS = 60.0  # that the sizes hold: they are added up over every run


def families() -> Iterator[Metric]:
    """Ask the database, in nine queries at most, whatever it holds."""
    yield from _runs()
    yield from _workers()
    yield from _people()
    yield from _sizes()


def _runs() -> Iterator[Metric]:
    """Count what is not in the trash; a run that a program outside trains waits in no queue."""
    counts: dict[Labels, float] = {(queue, status): 0 for queue in Queue.values for status in Status.values}
    oldest: dict[Labels, float] = dict.fromkeys(((queue,) for queue in Queue.values), 0.0)
    rows = Run.objects.kept().order_by().values_list("source", "queue", "status")
    counted = rows.annotate(count=Count("pk"), age=Max(Seconds(Now(), F("queued_at"))))
    for source, queue, status, count, age in counted:
        counts[queue if source == Source.ENGINE else source, status] = count
        if status == Status.QUEUED:
            oldest[queue,] = max(0.0, age)
    yield gauges("nnlab_runs", "Runs that are not in the trash.", ("queue", "status"), counts)
    waiting: dict[Labels, float] = {(queue,): counts[queue, Status.QUEUED] for queue in Queue.values}
    yield gauges("nnlab_queue_depth", "Runs that wait for a worker.", ("queue",), waiting)
    yield gauges(
        "nnlab_queue_oldest_seconds", "Since when the longest waiting run waits.", ("queue",), oldest
    )
    lapsed = Run.objects.filter(status=Status.RUNNING, lease_until__lt=Now()).count()
    yield gauge(
        "nnlab_leases_lapsed", "Running runs whose worker is silent and that wait to be judged.", lapsed
    )


def _workers() -> Iterator[Metric]:
    release = workers.newest_release()
    present = list(Worker.objects.present().with_silence())
    held = dict(
        Attempt.objects.filter(ended_at=None, worker__in=present)
        .order_by()
        .values_list("worker")
        .annotate(Count("pk"))
    )
    states: Counter[Labels] = Counter()
    processes: Counter[Labels] = Counter({(queue,): 0 for queue in Queue.values})
    running: dict[Labels, float] = defaultdict(
        float
    )  # a worker that came back may have two rows for a moment
    memory: dict[Labels, float] = defaultdict(float)
    for worker in present:
        state = state_of(worker, workers.misfit(worker.versions, release))
        for queue in worker.queues:
            states[queue, state.value] += 1
            processes[queue,] += worker.concurrency if state == State.WELL else 0
        running[str(worker),] += held.get(worker.pk, 0)
        memory[str(worker),] += worker.memory_bytes or 0
    for queue in Queue.values:
        for state in (State.WELL, State.IDLE, State.SILENT):
            states.setdefault((queue, state.value), 0)
    yield gauges("nnlab_workers", "Workers that are there.", ("queue", "state"), states)
    yield gauges("nnlab_worker_processes", "Processes that take runs.", ("queue",), processes)
    yield gauges("nnlab_worker_running_runs", "Runs that a worker trains.", ("worker",), running)
    yield gauges("nnlab_worker_memory_bytes", "Memory of a worker's processes.", ("worker",), memory)


def _people() -> Iterator[Metric]:
    """Count what people shall look at: alerts, and notices that did not reach them."""
    opened = Alert.objects.of_kept_runs().filter(state="open").order_by().values_list("severity")
    yield _by(opened.annotate(Count("pk")), Severity.values, "nnlab_alerts_open", "Open alerts.", "severity")
    notices = Notice.objects.order_by().values_list("state").annotate(Count("pk"))
    text = "Notices of the last month, by what became of them; waiting ones are outstanding."
    yield _by(notices, Notice.State.values, "nnlab_notices", text, "state")


def _by(rows: Any, known: list[str], name: str, text: str, label: str) -> Metric:
    counts: dict[Labels, float] = {(value,): 0 for value in known} | {(value,): n for value, n in rows}
    return gauges(name, text, (label,), counts)


def _measured() -> tuple[float, float]:
    points = Series.objects.aggregate(n=Sum("points"))["n"] or 0
    found = Ledger.objects.aggregate(bytes=Sum("stored_bytes"), pending=Sum("pending_points"))
    return points + (found["pending"] or 0), found["bytes"] or 0


measured: Callable[[], tuple[float, float]] = Recent(_measured, SIZES_SECONDS)


def _sizes() -> Iterator[Metric]:
    points, stored = measured()
    yield gauge("nnlab_points_stored", "Points of all series, measured once a minute.", points)
    yield gauge("nnlab_chunk_bytes", "Bytes of sealed points, measured once a minute.", stored)
