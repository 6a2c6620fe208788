"""Uploaded datasets in the database: how versions and recipes get in, and how a run finds them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Now

from nnlab.data import uploads
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.upload_recipes import UploadRecipe
from runs.models import DatasetPart, DatasetRecipe, DatasetVersion, Run, UploadPart

PART_BYTES = 2**20
DRAFTS_LIVE = timedelta(days=1)
_LEVEL = 3  # of zlib: level 6 takes three times as long for a twentieth less


@dataclass(frozen=True)
class Origin:
    """Where the columns of an upload come from."""

    project_id: int
    name: str
    file_name: str
    delimiter: str
    licence: str = ""
    user_id: int | None = None


class StoredUploads:
    """The library that runs read uploads from; drafts are not in it."""

    def content(self, version: str) -> bytes | None:
        """Read the canonical bytes of a version."""
        found = DatasetVersion.objects.filter(short=version).first()
        return content_of(found) if found else None

    def recipe(self, version: str, key: str) -> Mapping[str, Any] | None:
        """Read a saved recipe of a version."""
        found = self._saved(version).filter(key=key).first()
        return found.content if found else None

    def recipes(self, version: str) -> Sequence[str]:
        """Name the saved recipes of a version."""
        return list(self._saved(version).values_list("key", flat=True))

    @staticmethod
    def _saved(version: str) -> QuerySet[DatasetRecipe]:
        return DatasetRecipe.objects.filter(
            version__short=version, version__saved_at__isnull=False, saved_at__isnull=False
        )


@dataclass(frozen=True)
class Packed:
    """Columns as they are stored: what names their canonical bytes, and these bytes compressed."""

    sha256: str
    size: int
    rows: int
    columns: int
    data: bytes


def pack(columns: Sequence[CsvColumn]) -> Packed:
    """Compress columns, one at a time: their canonical bytes are never in memory as a whole."""
    packer, digest, size = zlib.compressobj(_LEVEL), hashlib.sha256(), 0
    packed = []
    for piece in uploads.pieces(columns):
        digest.update(piece)
        size += len(piece)
        packed.append(packer.compress(piece))
    data = b"".join([*packed, packer.flush()])
    return Packed(digest.hexdigest(), size, len(columns[0].cells), len(columns), data)


def keep_draft(packed: Packed, origin: Origin) -> DatasetVersion:
    """Store columns as a draft; where a version holds the same bytes already, that is returned.

    A draft then counts as the newer upload's; a saved version stays as it is.
    """
    remove_old_drafts()
    same = DatasetVersion.objects.filter(sha256=packed.sha256)
    if same.exists():
        same.filter(saved_at=None).update(**_told(origin), uploaded_at=Now())
        return same.get()
    starts = range(0, len(packed.data), PART_BYTES)
    try:
        with transaction.atomic():
            version = DatasetVersion.objects.create(
                **_told(origin),
                sha256=packed.sha256,
                short=packed.sha256[: uploads.DIGITS],
                rows=packed.rows,
                columns=packed.columns,
                size=packed.size,
            )
            DatasetPart.objects.bulk_create(
                (
                    DatasetPart(version=version, part=number, data=packed.data[start : start + PART_BYTES])
                    for number, start in enumerate(starts)
                ),
                batch_size=4,
            )
    except IntegrityError:  # the same file was uploaded twice at the same moment
        return same.get()
    return version


def _told(origin: Origin) -> dict[str, Any]:
    return {"uploaded_by_id" if name == "user_id" else name: value for name, value in asdict(origin).items()}


def keep_recipe(version: DatasetVersion, chosen: UploadRecipe, user_id: int | None) -> DatasetRecipe:
    """Store a recipe to be looked at; the same one stays as it is."""
    found, _ = DatasetRecipe.objects.get_or_create(
        version=version, key=chosen.hash, defaults={"content": chosen.to_dict(), "made_by_id": user_id}
    )
    return found


@transaction.atomic
def save(found: DatasetRecipe) -> bool:
    """Save a recipe and its version: from now on runs can use them. False if they were saved before."""
    version = DatasetVersion.objects.select_for_update().get(pk=found.version_id)
    if version.saved_at is None:
        others = DatasetVersion.objects.filter(project=version.project, name=version.name)
        last = others.aggregate(last=Max("number"))["last"] or 0
        DatasetVersion.objects.filter(pk=version.pk).update(saved_at=Now(), number=last + 1)
        UploadPart.objects.filter(upload__version=version).delete()  # nobody will read the file again
    return bool(DatasetRecipe.objects.filter(pk=found.pk, saved_at=None).update(saved_at=Now()))


def content_of(version: DatasetVersion) -> bytes:
    """Read a version's canonical bytes."""
    parts = DatasetPart.objects.filter(version=version).order_by("part").values_list("data", flat=True)
    unpacker = zlib.decompressobj()
    return b"".join(unpacker.decompress(bytes(part)) for part in parts.iterator(chunk_size=4))


def delete(version: DatasetVersion) -> list[Run]:
    """Delete a version that no run uses, in the trash or not; where some do, they are returned."""
    with transaction.atomic():
        DatasetVersion.objects.select_for_update().get(pk=version.pk)
        runs = list(Run.objects.filter(dataset=version.key).select_related("project").order_by("-pk")[:20])
        if not runs:
            version.delete()
    return runs


def remove_old_drafts() -> None:
    """Remove what was uploaded, or looked at, and never saved."""
    DatasetVersion.objects.filter(saved_at=None, uploaded_at__lt=Now() - DRAFTS_LIVE).delete()
    DatasetRecipe.objects.filter(saved_at=None, made_at__lt=Now() - DRAFTS_LIVE).delete()
