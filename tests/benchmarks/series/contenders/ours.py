"""Ours in process: what a worker does, a buffer that is drained into the store every 1,024 steps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import django

from tests.benchmarks.series.contender import kept_bytes
from tests.benchmarks.series.contenders import logged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

DURABILITY = "SQLite: WAL, synchronous=NORMAL, synced at checkpoints; PostgreSQL: as the store sets it"
FLUSHED_EVERY = 1024  # steps
BEGUN = {"project": "benchmark", "name": "benchmark"}


class Store:
    """An installation's database. Options: ``full`` syncs SQLite at every commit."""

    def __init__(self, folder: Path, option: str) -> None:
        os.environ["NNLAB_HOME"] = str(folder / "nnlab")
        os.environ["DJANGO_SETTINGS_MODULE"] = "nnlab.settings"
        os.environ["NNLAB_LOG_LEVEL"] = "ERROR"
        if "BENCH_DATABASE" in os.environ:
            os.environ["DATABASE_URL"] = os.environ["BENCH_DATABASE"]
        django.setup()
        from django.contrib.auth import get_user_model  # noqa: PLC0415 - django.setup() comes first
        from django.core.management import call_command  # noqa: PLC0415
        from django.db import connection, transaction  # noqa: PLC0415

        from nnlab.series.buffer import StepBuffer  # noqa: PLC0415
        from runs.outside import beginning  # noqa: PLC0415
        from runs.store import writing  # noqa: PLC0415

        call_command("migrate", verbosity=0, interactive=False)
        self._connection, self._transaction, self._folder = connection, transaction, folder
        self._buffer_of, self._writing, self._beginning = StepBuffer, writing, beginning
        self._user, _ = get_user_model().objects.get_or_create(username="benchmark")
        if option == "full" and connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA synchronous=FULL")

    def versions(self) -> dict[str, str]:
        """Name the versions; pcodec is what chunks are encoded with where it is there."""
        return {**logged.versions(["nnlab", "django", "numpy"]), **_version_of("pcodec")}

    def begin(self, steps: int, keys: int) -> None:
        """Make the values, and a new run."""
        self._rows = logged.rows(steps, keys)
        self._run = self._new_run()

    def log(self) -> int:
        """Log all rows, and write what is left as the end."""
        self._buffer = self._buffer_of()
        log = self._buffer.log
        for step, row in enumerate(self._rows):
            log(step, row)
            if not (step + 1) % FLUSHED_EVERY:
                self._flush(final=False)
        self._flush(final=True)
        return sum(map(len, self._rows))

    def readable(self) -> int:
        """Count the points by reading every series in full."""
        return sum(map(len, self._read_all(self._run)))

    def stored(self, run: int) -> int:
        """Count the points of any run."""
        return sum(map(len, self._read_all(run)))

    def kept(self) -> int:
        """Give the bytes of everything kept; on PostgreSQL of the whole database."""
        if self._connection.vendor == "postgresql":
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT pg_database_size(current_database())")
                return int(cursor.fetchone()[0])
        self._connection.close()  # the last to close a WAL database checkpoints it
        return kept_bytes(self._folder / "nnlab")

    def vacuum(self) -> None:
        """Let PostgreSQL give back what was deleted, as it does by itself after a while."""
        with self._connection.cursor() as cursor:
            cursor.execute("VACUUM")

    def _flush(self, *, final: bool) -> None:
        self._write(self._run, self._buffer.drain(), final=final)

    def _write(self, run: int, points: Mapping[Any, Any], *, final: bool) -> None:
        with self._transaction.atomic():
            self._writing.write(run, points, final=final)

    def _end(self, run: int) -> None:
        self._write(run, {}, final=True)

    def _new_run(self) -> int:
        made, _ = self._beginning.begin(self._beginning.parse(BEGUN), self._user)
        return int(made.pk)

    def _read_all(self, run: int) -> list[NDArray[np.float64]]:
        """Read every point of every series of a run; give the values of each."""
        from runs.models import Series  # noqa: PLC0415
        from runs.reading.series import read_series  # noqa: PLC0415

        metrics = Series.objects.filter(run_id=run).exclude(metric="_t").values_list("metric", flat=True)
        return [points.values for points in read_series([run], set(metrics))]

    def _window(self, runs: list[int], first: int | None, last: int | None, columns: int) -> list[Any]:
        """Read what a chart of the loss asks for."""
        from runs.reading.windows import read_windows  # noqa: PLC0415

        return list(read_windows(runs, ["loss"], columns=columns, first=first, last=last))


def _version_of(name: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return {name: version(name)}
    except PackageNotFoundError:
        return {}
