"""Aim: a repository on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aim import Repo, Run
from aim.sdk.index_manager import RepoIndexManager

from tests.benchmarks.series.contender import kept_bytes
from tests.benchmarks.series.contenders import logged

if TYPE_CHECKING:
    from pathlib import Path

DURABILITY = "RocksDB's write-ahead log, never synced; indexed on close"


class Tracked:
    """A repository. Options: ``one`` call of track a value, ``dict`` a call a step."""

    def __init__(self, folder: Path, option: str) -> None:
        self._folder, self._option = folder, option
        self._repo = Repo.from_path(str(folder), init=True)

    def versions(self) -> dict[str, str]:
        """Name the version."""
        return logged.versions(["aim"])

    def begin(self, steps: int, keys: int) -> None:
        """Make the values, and a new run."""
        self._rows = logged.rows(steps, keys)
        self._open()

    def log(self) -> int:
        """Log all rows, and close."""
        track = self._run.track
        for step, row in enumerate(self._rows):
            if self._option == "dict":
                track(row, step=step)
            else:
                for name, value in row.items():
                    track(value, name=name, step=step)
        self._run.close()
        return sum(map(len, self._rows))

    def readable(self) -> int:
        """Count the points by the tool's own reader, which sees a run when its server has indexed it."""
        self._index()
        return sum(len(metric.values.sparse_list()[0]) for metric in self._metrics())

    def kept(self) -> int:
        """Give the bytes of everything kept."""
        return kept_bytes(self._folder / ".aim")

    def fill(self, steps: int) -> None:
        """Log one series."""
        self._open()
        for step, value in enumerate(logged.loss(steps)):
            self._run.track(value, name="loss", step=step)
        self._run.close()
        self._index()

    def resume(self) -> None:
        """Take up the run that an earlier process filled."""
        (self._hash,) = self._repo.list_all_runs()

    def read(self) -> dict[str, Any]:
        """Read every point of the last run."""
        (metric,) = self._metrics()
        return logged.summary_of(list(metric.values.sparse_list()[1]))

    def chart(self) -> dict[str, Any]:
        """Read what a chart of a run shows, by its default: 200 points."""
        (metric,) = self._metrics()
        _, (values, *_) = metric.data.sample(200).numpy()
        return {**logged.summary_of(values.tolist()), "shown": True}

    def _open(self) -> None:
        self._run = Run(repo=self._repo, system_tracking_interval=None, capture_terminal_logs=False)
        self._hash = self._run.hash

    def _index(self) -> None:
        RepoIndexManager(self._repo).index(self._hash)
        self._repo = Repo.from_path(str(self._folder))

    def _metrics(self) -> Any:
        return self._repo.get_run(self._hash).metrics()
