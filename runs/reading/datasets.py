"""What is known of a dataset: a shipped one, a generated one, a file of the CSV folder, or an upload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from nnlab.data import csv_files, generators, shipped, uploads
from nnlab.data.csv_columns import CsvColumn, read_columns
from nnlab.data.frames import Table
from nnlab.data.profile import Profile, columns_of, profile
from nnlab.data.shipped import DatasetInfo
from runs.models import DatasetRecipe, DatasetVersion, Run
from runs.store.datasets import content_of

RUNS_SHOWN = 10
UPLOADS_SHOWN = 200


@dataclass(frozen=True)
class Described:
    """A dataset with its columns in numbers.

    Args:
        columns: the target among them.
        target: name of the column that is predicted where nobody says otherwise.
        info: of a dataset that comes with the product; None for others.
        version: of an upload; None for others.
    """

    key: str
    title: str
    columns: Sequence[CsvColumn]
    profile: Profile
    target: str
    info: DatasetInfo | None = None
    version: DatasetVersion | None = None


def describe(key: str) -> Described | None:
    """Find a dataset by its key; None where there is none.

    Raises:
        DataError: for a file that cannot be read, and says why.
    """
    if key in shipped.datasets():
        return _built_in(key)
    if key.startswith(uploads.PREFIX):
        version = version_named(key)
        return _of_upload(version) if version else None
    if key in csv_files.csv_names(settings.CSV_FOLDER):
        return _of_file(key, csv_files.content(Path(settings.CSV_FOLDER), key))
    return None


def version_named(key: str) -> DatasetVersion | None:
    """Find an upload, saved or not, by its key."""
    short = key.removeprefix(uploads.PREFIX)
    if not uploads.is_version(short):
        return None
    found = DatasetVersion.objects.filter(short=short)
    return found.select_related("project", "uploaded_by").first()


def saved_versions() -> list[DatasetVersion]:
    """List the uploads that can be trained on, the newest first."""
    found = DatasetVersion.objects.filter(saved_at__isnull=False)
    return list(found.select_related("project", "uploaded_by")[:UPLOADS_SHOWN])


def saved_recipes(version: DatasetVersion) -> list[DatasetRecipe]:
    """List the recipes of an upload that can be trained with, the first one first."""
    found = DatasetRecipe.objects.filter(version=version, saved_at__isnull=False)
    return list(found.select_related("made_by"))


def columns_of_upload(version: DatasetVersion) -> tuple[CsvColumn, ...]:
    """Read the columns of an upload, saved or not."""
    return _columns(version.short, version.pk)


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


def _of_upload(version: DatasetVersion) -> Described:
    """Describe an upload. Until it has a recipe its last column counts as the target."""
    columns = columns_of_upload(version)
    recipe = DatasetRecipe.objects.filter(version=version, saved_at__isnull=False).first()
    target = recipe.content["target"] if recipe else columns[-1].name
    found = _profile(version.short, version.pk, target)
    return Described(version.key, str(version), columns, found, target, version=version)


@lru_cache(maxsize=2)
def _columns(_short: str, version_id: int) -> tuple[CsvColumn, ...]:
    return uploads.decode(content_of(DatasetVersion(pk=version_id)))


@lru_cache(maxsize=8)
def _profile(short: str, version_id: int, target: str) -> Profile:
    return profile(_columns(short, version_id), target)


@lru_cache(maxsize=2)
def _of_file(key: str, content: bytes) -> Described:
    columns = read_columns(content)
    return Described(key, key, columns, profile(columns, columns[-1].name), columns[-1].name)
