"""Operations on datasets: what there is, what its columns hold, and an upload in one request."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.errors import HttpError

from nnlab.data.catalogue import datasets as catalogue
from nnlab.data.csv_reading import DELIMITERS, UPLOAD_LIMITS, check_head
from nnlab.data.errors import DataError
from nnlab.data.profile import ColumnProfile
from runs.api.access import require
from runs.api.bodies import read_body
from runs.api.schemas import ErrorsOut, Key, Word
from runs.models import DatasetVersion, Upload
from runs.reading.datasets import describe, saved_recipes, saved_versions
from runs.store import uploads
from runs.store.uploads import Sent
from runs.submission import project_slug
from runs.submitted.specification import SubmissionError

_BODY = {"requestBody": {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}}

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


class UploadOut(Schema):
    """A file on its way to a dataset: waiting, reading, read or refused; ``errors`` say why the last."""

    id: int
    state: str
    size: int
    bytes_read: int
    rows_read: int
    dataset: DatasetOut | None
    errors: dict[str, list[str]]


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
    response={202: UploadOut, 422: ErrorsOut},
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
    """Keep the file in the body, to be saved with the usual recipe: z-scores, medians for gaps, one-hot.

    ``target`` is the column to predict, the last one where it is left out; ``delimiter`` is found by itself.
    Another process reads the file: ``GET /uploads/{id}`` says how far it is, and what it became. The same
    columns again become the version that is there.
    """
    user = require(request, "runs.submit_sweep")
    content = read_body(request, UPLOAD_LIMITS.file_bytes)
    try:
        project_slug(project)
        check_head(content[: uploads.PART_BYTES])
        sent = Sent(
            project_name=project[:100],
            name=(name or file_name.removesuffix(".csv"))[:100] or "data",
            file_name=file_name[:200],
            uploaded_by_id=user.pk,
            delimiter=_delimiter(delimiter),
            licence=licence[:2_000],
            is_for_usual=True,
            target=target,
        )
        starts = range(0, len(content), uploads.PART_BYTES)
        kept = uploads.keep((content[start : start + uploads.PART_BYTES] for start in starts), sent)
    except DataError as error:
        raise SubmissionError({error.field: [str(error)]}) from error
    return Status(202, _progress(kept))


@router.get("/uploads/{upload_id}", response=UploadOut, summary="How far an upload is, and what it became")
def read_upload(request: HttpRequest, upload_id: Key) -> dict[str, Any]:
    """Give the state of one of your uploads, until a day after it was sent."""
    user = require(request, "runs.submit_sweep")
    found = Upload.objects.select_related("version").filter(pk=upload_id, uploaded_by=user.pk).first()
    if found is None:
        raise HttpError(404, f"there is no upload {upload_id} of yours; what is not saved goes after a day")
    return _progress(found)


def _progress(upload: Upload) -> dict[str, Any]:
    told = {name: getattr(upload, name) for name in ("id", "state", "size", "bytes_read", "rows_read")}
    errors = {upload.error_field or "dataset": [upload.error]} if upload.error else {}
    return {**told, "dataset": _told(upload.version) if upload.version else None, "errors": errors}


def _delimiter(given: str) -> str:
    if given and given not in DELIMITERS:
        raise DataError(
            "delimiter", f"expected a delimiter among {', '.join(map(repr, DELIMITERS))}, got {given!r}"
        )
    return given


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
