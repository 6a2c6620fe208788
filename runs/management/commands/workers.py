"""``nnlab workers``: who trains, and how they stand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from runs import console
from runs.pages.formats import ago
from runs.reading.workers import Standing, State, muster
from runs.retention import file_size


class Command(BaseCommand):
    """Lists the workers."""

    help = (
        "Show the workers of this installation: where they are, what they train, when they were last heard."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a table of those that are there, and why one takes no runs."""
        console.require_installation()
        found = muster()
        if not found.present:
            console.print_line("No worker is running. `nnlab up` starts one, with all the rest.")
            return
        console.print_table(
            f"Workers: {found.present_count}, {found.processes} process(es) that train",
            ["worker", "state", "heard", "processes", "runs", "load", "memory"],
            [_row(standing) for standing in found.present],
        )
        for standing in found.present:
            if standing.state == State.IDLE:
                console.print_line(f"{standing.worker}: {standing.why_idle}.")


def _row(standing: Standing) -> list[str]:
    worker = standing.worker
    return [
        str(worker),
        standing.state.value,
        ago(worker.seen_at, timezone.now()),
        f"{worker.concurrency} on {', '.join(worker.queues)}",
        str(standing.run_count),
        "–" if worker.load is None else f"{worker.load:.1f} of {worker.cores}",
        "–" if worker.memory_bytes is None else file_size(worker.memory_bytes),
    ]
