"""What is known of a dataset, wherever it comes from: shipped, generated, or a file of the CSV folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from nnlab.data import csv_files, generators, shipped
from nnlab.data.csv_columns import CsvColumn, read_columns
from nnlab.data.frames import Table
from nnlab.data.profile import Profile, columns_of, profile
from nnlab.data.shipped import DatasetInfo
from runs.models import Run

RUNS_SHOWN = 10


@dataclass(frozen=True)
class Described:
    """A dataset with its columns in numbers.

    Args:
        columns: the target among them.
        target: name of the column that is predicted where nobody says otherwise.
        info: of a dataset that comes with the product; None for others.
    """

    key: str
    title: str
    columns: Sequence[CsvColumn]
    profile: Profile
    target: str
    info: DatasetInfo | None = None


def describe(key: str) -> Described | None:
    """Find a dataset by its key; None where there is none.

    Raises:
        DataError: for a file that cannot be read, and says why.
    """
    if key in shipped.datasets():
        return _built_in(key)
    if key in csv_files.csv_names(settings.CSV_FOLDER):
        return _of_file(key, csv_files.content(Path(settings.CSV_FOLDER), key))
    return None


def newest_runs(key: str) -> list[Run]:
    """List the runs that were trained on a dataset last."""
    runs = Run.objects.kept().filter(dataset=key).select_related("project").order_by("-pk")
    return list(runs.only("name", "status", "project", "score", "headline", "info")[:RUNS_SHOWN])


@lru_cache(maxsize=16)
def _built_in(key: str) -> Described:
    info = shipped.datasets()[key]
    columns = columns_of(_table(info))
    return Described(key, info.title, columns, profile(columns, info.target_name), info.target_name, info)


def _table(info: DatasetInfo) -> Table:
    if info.generated:
        return generators.generate(info.key, rows=None, noise=0.0, seed=0)
    return shipped.load(info.key)


@lru_cache(maxsize=2)
def _of_file(key: str, content: bytes) -> Described:
    columns = read_columns(content)
    return Described(key, key, columns, profile(columns, columns[-1].name), columns[-1].name)
