"""The demonstration while it trains: a progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from nnlab.supervisor import Supervisor
from runs import console
from runs.demo.progress import Progress, progress
from runs.models import Sweep

LOOK = 0.5  # seconds between two looks
LINE = 10.0  # seconds between two lines where the output is not a terminal
SPEED_WINDOW = 5.0  # seconds: workers report once a second, so a shorter window would flicker


class Speed:
    """Steps per second over the last few seconds."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def after(self, steps: int, moment: float) -> float:
        """Take a count of steps at a moment; the speed since the oldest look in the window."""
        self._looks.append((moment, steps))
        while moment - self._looks[0][0] > SPEED_WINDOW:
            self._looks.popleft()
        then, before = self._looks[0]
        return max(0, steps - before) / (moment - then) if moment > then else 0.0


def watch(sweeps: list[Sweep], supervisor: Supervisor) -> bool:
    """Show the progress until all runs have ended; False if somebody stopped the supervisor before."""
    shown = _on_terminal if console.console.is_terminal else _in_lines
    return shown(_looks(sweeps, supervisor))


def _on_terminal(looks: Iterator[tuple[Progress, str]]) -> bool:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs  {task.fields[words]}"),
        TimeElapsedColumn(),
    )
    state = None
    with ProgressBar(*columns, console=console.console) as bar:
        task = bar.add_task("Training", total=None, words="")
        for state, words in looks:
            bar.update(task, total=state.total, completed=state.over, words=words)
    return state is not None and state.is_over


def _in_lines(looks: Iterator[tuple[Progress, str]]) -> bool:
    state, due = None, 0.0
    for state, words in looks:
        if state.is_over or time.monotonic() >= due:
            console.print_line(f"{state.over} of {state.total} runs  {words}")
            due = time.monotonic() + LINE
    return state is not None and state.is_over


def _looks(sweeps: list[Sweep], supervisor: Supervisor) -> Iterator[tuple[Progress, str]]:
    """Look at the runs again and again, and keep the installation alive, until they have all ended."""
    speed = Speed()
    while not supervisor.stopping:
        state = progress(sweeps)
        steps = speed.after(state.steps_run, time.monotonic())
        alerts = "1 alert" if state.alerts == 1 else f"{state.alerts} alerts"
        yield state, f"{steps:,.0f} steps/s  {alerts}"
        if state.is_over:
            return
        supervisor.watch()
        time.sleep(LOOK)
