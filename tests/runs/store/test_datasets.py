"""Uploaded datasets in the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from nnlab.data import uploads
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare, prepare_upload
from runs.models import DatasetPart, DatasetRecipe, DatasetVersion, Run
from runs.store import datasets
from runs.store.datasets import Origin
from tests.data.uploaded import build_columns, build_recipe
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    uploads._load.cache_clear()
    yield
    uploads._load.cache_clear()


def build_origin(name: str = "houses") -> Origin:
    return Origin(builders.build_project().pk, name, "houses.csv", ",", "CC0")


def build_saved(seed: int = 0, origin: Origin | None = None) -> DatasetRecipe:
    version = datasets.keep_draft(datasets.pack(build_columns(seed)), origin or build_origin())
    recipe = datasets.keep_recipe(version, build_recipe(), None)
    datasets.save(recipe)
    recipe.refresh_from_db()
    return recipe


def test_a_version_keeps_its_bytes_and_where_they_came_from() -> None:
    version = datasets.keep_draft(datasets.pack(build_columns()), build_origin())
    assert datasets.content_of(version) == uploads.encode(build_columns())
    assert version.sha256 == uploads.full_version(uploads.encode(build_columns()))
    assert (version.rows, version.columns, version.file_name, version.licence) == (60, 5, "houses.csv", "CC0")


def test_a_large_version_is_kept_in_parts() -> None:
    columns = build_columns(rows=100_000)
    version = datasets.keep_draft(datasets.pack(columns), build_origin())
    sizes = [len(part.data) for part in DatasetPart.objects.filter(version=version)]
    assert len(sizes) > 1
    assert max(sizes) <= datasets.PART_BYTES
    assert datasets.content_of(version) == uploads.encode(columns)


def test_the_same_bytes_again_are_the_same_version() -> None:
    saved = build_saved().version
    again = datasets.keep_draft(datasets.pack(build_columns()), build_origin("other name"))
    assert again.pk == saved.pk
    assert (again.name, DatasetVersion.objects.count()) == ("houses", 1)


def test_a_draft_that_is_uploaded_again_belongs_to_who_came_last() -> None:
    draft = datasets.keep_draft(datasets.pack(build_columns()), build_origin("mine"))
    assert datasets.keep_draft(datasets.pack(build_columns()), build_origin("yours")).pk == draft.pk
    assert DatasetVersion.objects.get().name == "yours"


def test_versions_of_a_name_are_counted_when_they_are_saved() -> None:
    origin = build_origin()
    assert [build_saved(seed, origin).version.number for seed in range(3)] == [1, 2, 3]
    assert build_saved(3).version.number == 1


def test_a_run_trains_on_a_saved_version_and_on_no_draft(tmp_path: Path) -> None:
    version = datasets.keep_draft(datasets.pack(build_columns()), build_origin())
    recipe = datasets.keep_recipe(version, build_recipe(), None)
    config = DataConfig(dataset=version.key, recipe=recipe.key)
    with pytest.raises(DataError, match="there is no saved dataset"):
        prepare(config, tmp_path)
    assert datasets.save(recipe)
    assert not datasets.save(recipe)
    trained = prepare(config, tmp_path)
    looked_at = prepare_upload(config, build_columns(), build_recipe())
    np.testing.assert_array_equal(trained.x_train, looked_at.x_train)
    assert (trained.version, trained.recipe_hash) == (version.short, recipe.key)


def test_a_recipe_is_kept_once() -> None:
    version = build_saved().version
    datasets.keep_recipe(version, build_recipe(), None)
    datasets.keep_recipe(version, replace(build_recipe(), order="year"), None)
    assert version.recipes.count() == 2


@pytest.mark.parametrize("in_trash", [False, True])
def test_a_version_that_runs_use_is_not_deleted(in_trash: bool) -> None:
    version = build_saved().version
    run = builders.build_finished_run(dataset=version.key, deleted_at=timezone.now() if in_trash else None)
    assert datasets.delete(version) == [run]
    assert DatasetVersion.objects.exists()
    Run.objects.all().delete()
    assert datasets.delete(version) == []
    assert not DatasetPart.objects.exists()
    assert not DatasetRecipe.objects.exists()


def test_drafts_are_removed_after_a_day_and_what_was_saved_stays() -> None:
    saved = build_saved(0)
    datasets.keep_recipe(saved.version, replace(build_recipe(), order="year"), None)
    datasets.keep_draft(datasets.pack(build_columns(1)), build_origin())
    long_ago = timezone.now() - timedelta(days=2)
    DatasetVersion.objects.update(uploaded_at=long_ago)
    DatasetRecipe.objects.update(made_at=long_ago)
    datasets.remove_old_drafts()
    assert [version.pk for version in DatasetVersion.objects.all()] == [saved.version_id]
    assert [recipe.pk for recipe in DatasetRecipe.objects.all()] == [saved.pk]


def test_a_dataset_outlives_its_project() -> None:
    version = build_saved().version
    assert version.project is not None
    version.project.delete()
    left = DatasetVersion.objects.get()
    assert left.project is None
    assert datasets.content_of(left)
