"""trackio: its local SQLite store, written by its background thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.benchmarks.series.contender import kept_bytes
from tests.benchmarks.series.contenders import logged

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "benchmark"
DURABILITY = "a thread commits every 0.5 s (WAL, synchronous=NORMAL), and at finish"


class Table:
    """A project's table. Options: ``log``, the documented path; ``bulk``, what its threads use inside."""

    def __init__(self, folder: Path, option: str) -> None:
        os.environ["TRACKIO_DIR"] = str(folder / "trackio")
        import trackio  # noqa: PLC0415 - it reads its folder when it is imported
        from trackio import sqlite_storage  # noqa: PLC0415

        self._trackio, self._module, self._storage = trackio, sqlite_storage, sqlite_storage.SQLiteStorage
        self._folder, self._option, self._runs = folder, option, 0

    def versions(self) -> dict[str, str]:
        """Name the version."""
        return logged.versions(["trackio"])

    def begin(self, steps: int, keys: int) -> None:
        """Make the values, and a new run."""
        self._rows = logged.rows(steps, keys)
        self._open()

    def log(self) -> int:
        """Log all rows, and finish."""
        if self._option == "bulk":
            self._storage.bulk_log(PROJECT, self._run, self._rows, steps=list(range(len(self._rows))))
        else:
            for step, row in enumerate(self._rows):
                self._trackio.log(row, step=step)
        self._trackio.finish()
        return sum(map(len, self._rows))

    def readable(self) -> int:
        """Count the points by the tool's own reader."""
        names = set(self._rows[0])
        return sum(len(names & row.keys()) for row in self._logs())

    def kept(self) -> int:
        """Give the bytes of everything kept."""
        return kept_bytes(self._folder / "trackio")

    def fill(self, steps: int) -> None:
        """Log one series, by the bulk path."""
        self._open()
        rows = [{"loss": value} for value in logged.loss(steps)]
        for start in range(0, steps, 10_000):
            part = rows[start : start + 10_000]
            self._storage.bulk_log(PROJECT, self._run, part, steps=list(range(start, start + len(part))))
        self._trackio.finish()

    def read(self) -> dict[str, Any]:
        """Read every point of the last run."""
        return logged.summary_of([_number(row["loss"]) for row in self._logs() if "loss" in row])

    def chart(self) -> dict[str, Any]:
        """Read what a chart shows, by the server's own default: 3,000 rows."""
        rows = self._logs(max_points=3000)
        return {**logged.summary_of([_number(row["loss"]) for row in rows if "loss" in row]), "shown": True}

    def resume(self) -> None:
        """Take up the run that an earlier process filled."""
        self._run = "run-1"

    def _open(self) -> None:
        self._runs += 1
        self._run = f"run-{self._runs}"
        self._trackio.init(project=PROJECT, name=self._run, embed=False, auto_log_gpu=False)

    def _logs(self, **options: Any) -> list[dict[str, Any]]:
        self._module._LOGS_READ_CACHE.clear()  # it would give the last answer again
        found: list[dict[str, Any]] = self._storage.get_logs(PROJECT, self._run, **options)
        return found


def _number(value: object) -> float:
    """Read a value as it gives it: NaN and infinities come back as words."""
    return float(value)  # type: ignore[arg-type]
