"""Operations on datasets: what there is, what its columns hold, and an upload in one request."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.errors import HttpError

from nnlab.data.catalogue import datasets as catalogue
from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import CsvColumn, read_columns
from nnlab.data.csv_reading import DELIMITERS, UPLOAD_LIMITS, sniffed_delimiter
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare_upload
from nnlab.data.profile import ColumnProfile
from nnlab.data.upload_recipes import UploadRecipe, steps_of, usual_inputs
from runs.api.access import require
from runs.api.bodies import read_body
from runs.api.schemas import ErrorsOut, Word
from runs.models import DatasetVersion
from runs.reading.datasets import describe, saved_recipes, saved_versions, version_named
from runs.store import datasets
from runs.store.datasets import Origin
from runs.submission import project_named, project_slug
from runs.submitted.specification import SubmissionError

_BODY = {"requestBody": {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}}
_NO_KEY = "upload:000000000000"  # a recipe is tried before there is a version

router = Router()


class DatasetOut(Schema):
    """A dataset; ``key`` and one of ``recipes`` are what a submission's ``data`` takes."""

    key: str
    title: str
    kind: str
    rows: int
    columns: int
    recipes: list[str]


class ColumnOut(Schema):
    """A column in numbers; what a column of categories does not have is null."""

    name: str
    kind: str
    is_target: bool
    missing: int
    distinct: int
    low: float | None
    mean: float | None
    sd: float | None
    high: float | None
    bars: list[int]
    warnings: list[str]


class ProfileOut(Schema):
    """What a look at the columns tells."""

    key: str
    title: str
    rows: int
    duplicates: int
    warnings: list[str]
    recipes: list[str]
    columns: list[ColumnOut]


@router.get("/datasets", response=list[DatasetOut], summary="Datasets: shipped, generated, and uploaded")
def list_datasets(request: HttpRequest) -> list[dict[str, Any]]:
    """Give uploads, the newest first, then what comes with nnlab."""
    known = [
        {
            "key": info.key,
            "title": info.title,
            "kind": "generated" if info.generated else "shipped",
            "rows": info.rows,
            "columns": len(info.columns) + 1,
            "recipes": [key for key, _ in info.recipes],
        }
        for info in catalogue().values()
    ]
    return [*(_told(version) for version in saved_versions()), *known]


@router.get("/datasets/{key}", response=ProfileOut, summary="The columns of a dataset in numbers")
def read_profile(request: HttpRequest, key: Word) -> dict[str, Any]:
    """Give every column with its range, its spread and what to look at before training."""
    try:
        found = describe(key)
    except DataError as error:
        raise HttpError(422, str(error)) from error
    if found is None:
        raise HttpError(404, f"there is no dataset {key[:100]!r}")
    return {
        "key": key,
        "title": found.title,
        "rows": found.profile.rows,
        "duplicates": found.profile.duplicates,
        "warnings": list(found.profile.warnings),
        "recipes": _recipes(found.version) if found.version else [],
        "columns": [_column(column) for column in found.profile.columns],
    }


@router.post(
    "/datasets",
    response={200: DatasetOut, 201: DatasetOut, 422: ErrorsOut},
    summary="Upload a CSV file as a dataset",
    openapi_extra=_BODY,
)
def upload(
    request: HttpRequest,
    project: Word,
    file_name: Word,
    name: Word = "",
    target: Word = "",
    delimiter: Word = "",
    licence: Word = "",
) -> Status[Any]:
    """Save the file in the body with the usual recipe: z-scores, medians for gaps, categories one-hot.

    ``target`` is the column to predict, the last one where it is left out; ``delimiter`` is found by itself.
    The same columns again are answered with the version that is there, and status 200.
    """
    user = require(request, "runs.submit_sweep")
    content = read_body(request, UPLOAD_LIMITS.file_bytes)
    try:
        project_slug(project)
        cut = _delimiter(delimiter) or sniffed_delimiter(content, UPLOAD_LIMITS)
        columns = read_columns(content, UPLOAD_LIMITS, cut)
        chosen = _usual(columns, target or columns[-1].name)
    except DataError as error:
        raise SubmissionError({error.field: [str(error)]}) from error
    title = (name or file_name.removesuffix(".csv"))[:100] or "data"
    origin = Origin(project_named(project).pk, title, file_name[:200], cut, licence[:2_000], user.pk)
    version = datasets.keep_draft(columns, origin)
    is_new = datasets.save(datasets.keep_recipe(version, chosen, user.pk))
    kept = version_named(version.key)
    return Status(201 if is_new else 200, _told(kept or version))


def _delimiter(given: str) -> str:
    if given and given not in DELIMITERS:
        raise DataError(
            "delimiter", f"expected a delimiter among {', '.join(map(repr, DELIMITERS))}, got {given!r}"
        )
    return given


def _usual(columns: tuple[CsvColumn, ...], target: str) -> UploadRecipe:
    """Choose the usual recipe, and see that it fits before anything is kept."""
    steps = steps_of(numbers="median", categories="own", scaling="z-score", cap=None)
    chosen = UploadRecipe(target=target, inputs=usual_inputs(columns, target), steps=steps)
    prepare_upload(DataConfig(dataset=_NO_KEY, recipe=chosen.hash), columns, chosen)
    return chosen


def _told(version: DatasetVersion) -> dict[str, Any]:
    size = {"rows": version.rows, "columns": version.columns}
    return {"key": version.key, "title": str(version), "kind": "upload", "recipes": _recipes(version), **size}


def _recipes(version: DatasetVersion) -> list[str]:
    return [recipe.key for recipe in saved_recipes(version)]


def _column(column: ColumnProfile) -> dict[str, Any]:
    told = asdict(column) | {"warnings": [warned.text for warned in column.warnings]}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in told.items()
        if name in ColumnOut.model_fields
    }
