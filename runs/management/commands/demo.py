"""``nnlab demo``: the main job, end to end, on real data."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from nnlab.supervisor import Supervisor
from runs import console, serving
from runs.demo import report
from runs.demo.progress import ensure_submitted, progress
from runs.demo.watching import LOOK, watch
from runs.models import Sweep


class Command(BaseCommand):
    """Serves the dashboard and trains the demonstration's sweeps."""

    help = "Start everything, train a real sweep on real data, show its progress; serve until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take port, workers and exit."""
        console.add_serving_arguments(parser)
        parser.add_argument(
            "--exit", action="store_true", help="print a summary and end when all runs have ended"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, serve, submit, watch; then go on serving or report."""
        console.announce_engine()
        with serving.folder_held():
            console.announce_account(serving.prepare())
            failed = self._run(**options)
        console.print_line("Stopped; nothing of nnlab is left running.")
        if failed and options["exit"]:
            sys.exit(1)

    def _run(self, **options: Any) -> bool:
        """Serve and watch; whether a run has failed."""
        failed = False
        port = serving.free_port(options["port"])
        with serving.serve(port=port, workers=options["workers"]) as site:
            console.announce_address(site.address)
            sweeps, is_new = ensure_submitted()
            _announce_runs(sweeps, is_new=is_new)
            if watch(sweeps, site.supervisor):
                report.print_summary(sweeps)
                failed = report.has_failed(sweeps)
            if not options["exit"] and not site.supervisor.stopping:
                console.print_line(f"Serving {site.address} until Ctrl-C.")
                _keep_serving(site.supervisor)
            elif options["exit"] and site.supervisor.stopping:
                raise CommandError("stopped before the demonstration had ended; run it again to go on")
        return failed


def _announce_runs(sweeps: list[Sweep], *, is_new: bool) -> None:
    state = progress(sweeps)
    if is_new:
        console.print_line(f"Submitted {state.total} runs in {len(sweeps)} sweeps.")
    else:
        since = min(sweep.created_at for sweep in sweeps)
        console.print_line(
            f"Found the demonstration of {since:%Y-%m-%d %H:%M} UTC: {state.over} of {state.total}"
            " runs have ended; nothing is submitted twice."
        )


def _keep_serving(supervisor: Supervisor) -> None:
    while not supervisor.stopping:
        supervisor.watch()
        time.sleep(LOOK)
