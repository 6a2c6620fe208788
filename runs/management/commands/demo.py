"""``nnlab demo``: the main job, end to end, on real data."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from nnlab.supervisor import Supervisor
from runs import console, serving
from runs.demo import report
from runs.demo.progress import Progress, ensure_submitted, progress
from runs.models import Sweep

REFRESH = 0.5  # seconds
PLAIN_REFRESH = 10.0  # seconds between two lines where the output is not a terminal


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
        console.announce_account(serving.prepare())
        port = serving.free_port(options["port"])
        failed = False
        with serving.serve(port=port, workers=options["workers"]) as site:
            console.announce_address(site.address)
            sweeps, is_new = ensure_submitted()
            _announce_runs(sweeps, is_new=is_new)
            if _watch(sweeps, site.supervisor):
                report.print_summary(sweeps)
                failed = report.has_failed(sweeps)
            if not options["exit"] and not site.supervisor.stopping:
                console.print_line(f"Serving {site.address} until Ctrl-C.")
                _keep_serving(site.supervisor)
            elif options["exit"] and site.supervisor.stopping:
                raise CommandError("stopped before the demonstration had ended; run it again to go on")
        console.print_line("Stopped; nothing of nnlab is left running.")
        if failed and options["exit"]:
            sys.exit(1)


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


def _watch(sweeps: list[Sweep], supervisor: Supervisor) -> bool:
    """Show the progress until all runs have ended; False if somebody stopped the supervisor before."""
    shown = _watch_on_terminal if console.console.is_terminal else _watch_in_lines
    return shown(sweeps, supervisor)


def _watch_on_terminal(sweeps: list[Sweep], supervisor: Supervisor) -> bool:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs  {task.fields[speed]}  {task.fields[alerts]} alerts"),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=console.console) as bar:
        task = bar.add_task("Training", total=None, speed="", alerts=0)
        for state, speed in _states(sweeps, supervisor, REFRESH):
            bar.update(task, total=state.total, completed=state.over, speed=speed, alerts=state.alerts)
            if state.is_over:
                return True
    return False


def _watch_in_lines(sweeps: list[Sweep], supervisor: Supervisor) -> bool:
    for state, speed in _states(sweeps, supervisor, PLAIN_REFRESH):
        console.print_line(f"{state.over} of {state.total} runs  {speed}  {state.alerts} alerts")
        if state.is_over:
            return True
    return False


def _states(sweeps: list[Sweep], supervisor: Supervisor, pause: float) -> Any:
    before, at = progress(sweeps), time.monotonic()
    yield before, ""
    while not supervisor.stopping:
        until = time.monotonic() + pause
        while time.monotonic() < until and not supervisor.stopping:
            supervisor.watch()
            time.sleep(min(REFRESH, pause))
            if pause > REFRESH and progress(sweeps).is_over:
                break
        state, now = progress(sweeps), time.monotonic()
        yield state, _speed(before, state, now - at)
        before, at = state, now


def _speed(before: Progress, after: Progress, seconds: float) -> str:
    return f"{max(0, after.steps_run - before.steps_run) / seconds:,.0f} steps/s"


def _keep_serving(supervisor: Supervisor) -> None:
    while not supervisor.stopping:
        supervisor.watch()
        time.sleep(REFRESH)
