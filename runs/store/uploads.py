"""Files on their way to a dataset: kept, claimed by a reader, and how it ended.

Every change of state is one conditional UPDATE. A reader holds an upload by the number of its attempt: when
the upload is cancelled, or given to another reader because this one was silent, its words change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from nnlab.data.errors import DataError
from runs.models import DatasetVersion, Upload, UploadPart
from runs.store.datasets import DRAFTS_LIVE

PART_BYTES = 2**20
LEASE = timedelta(seconds=30)
MOST_FAILURES = 3
MOST_KEPT = 20  # files of one person that wait, or whose datasets are not saved
UNDER_WAY = (Upload.State.WAITING, Upload.State.READING)
_SILENT = (
    "The process that read this file ended without a word, three times. It may need more memory than the"
    " server has: send fewer rows or columns."
)


class TakenError(Exception):
    """The upload is no longer this reader's: it was cancelled, or another one reads it."""


@dataclass(frozen=True)
class Sent:
    """What was said about a file."""

    project_name: str
    name: str
    file_name: str
    uploaded_by_id: int | None
    delimiter: str = ""
    licence: str = ""
    is_for_usual: bool = False
    target: str = ""


def keep(chunks: Iterable[bytes], sent: Sent) -> Upload:
    """Store a file to be read.

    Raises:
        DataError: for somebody who has too many unfinished ones.
    """
    remove_old()
    kept = Upload.objects.filter(uploaded_by=sent.uploaded_by_id, parts__part=0).count()
    if kept >= MOST_KEPT:
        raise DataError(
            "dataset",
            f"expected at most {MOST_KEPT} files that are not saved as datasets yet, you have {kept};"
            " save or cancel some, on the page of datasets",
        )
    with transaction.atomic():
        upload = Upload.objects.create(**asdict(sent), size=0, heard_at=Now())
        size = 0
        for number, chunk in enumerate(chunks):
            UploadPart.objects.create(upload=upload, part=number, data=chunk)
            size += len(chunk)
        Upload.objects.filter(pk=upload.pk).update(size=size)
    upload.refresh_from_db()
    return upload


def content_of(upload: Upload) -> bytes:
    """Read a file's bytes back."""
    parts = UploadPart.objects.filter(upload=upload).order_by("part").values_list("data", flat=True)
    return b"".join(bytes(part) for part in parts.iterator(chunk_size=4))


def is_any_under_way() -> bool:
    """Whether anything waits, or is being read."""
    return Upload.objects.filter(state__in=UNDER_WAY).exists()


def ahead_of(upload: Upload) -> int:
    """Count the uploads that are read before one that waits."""
    if upload.state != Upload.State.WAITING:
        return 0
    return Upload.objects.filter(state__in=UNDER_WAY, pk__lt=upload.pk).count()


def unfinished(user_id: int | None) -> list[Upload]:
    """List somebody's uploads that are not saved as datasets yet, the newest first."""
    found = Upload.objects.filter(Q(version=None) | Q(version__saved_at=None), uploaded_by=user_id)
    return list(found.select_related("version").order_by("-pk")[:MOST_KEPT])


def file_of(version: DatasetVersion, user_id: int | None) -> Upload | None:
    """Find somebody's own file that became a draft."""
    return Upload.objects.filter(version=version, uploaded_by=user_id).last()


def claim() -> Upload | None:
    """Take the upload that waits longest; None where none waits."""
    for key in Upload.objects.filter(state=Upload.State.WAITING).values_list("pk", flat=True)[:20]:
        taken = Upload.objects.filter(pk=key, state=Upload.State.WAITING).update(
            state=Upload.State.READING,
            attempts=F("attempts") + 1,
            heard_at=Now(),
            share=0.0,
            rows_read=0,
        )
        if taken:
            return Upload.objects.get(pk=key)
    return None


def tell(upload: Upload, share: float, rows: int) -> None:
    """Say how far the reading is, which is a sign of life, too.

    Raises:
        TakenError: if it is no longer this reader's.
    """
    if not _held(upload).update(share=share, rows_read=rows, heard_at=Now()):
        raise TakenError


def accept(upload: Upload, version: DatasetVersion, delimiter: str) -> None:
    """End an upload with what it became; to be called in the transaction that stores that.

    Raises:
        TakenError: if it is no longer this reader's; then nothing may be stored.
    """
    done = {"state": Upload.State.READ, "version": version, "delimiter": delimiter, "share": 1.0}
    if not _held(upload).update(**done, rows_read=version.rows):
        raise TakenError
    if DatasetVersion.objects.filter(pk=version.pk, saved_at__isnull=False).exists():
        UploadPart.objects.filter(upload=upload).delete()


def refuse(upload: Upload, error: str, field: str = "dataset") -> bool:
    """End an upload that is no dataset, and keep why. Its bytes stay, to be read in another way."""
    refused = {"state": Upload.State.REFUSED, "error": error, "error_field": field[:50]}
    return bool(_held(upload).update(**refused))


def is_held(upload: Upload) -> bool:
    """Whether a reader still holds its upload: it was not cancelled, nor given to another."""
    return _held(upload).exists()


def give_back(upload: Upload) -> bool:
    """Let another reader try what this one has left; after some failures it is refused."""
    return bool(_fail(_held(upload)))


def give_back_silent() -> int:
    """Take uploads from readers that were not heard of for a while. Returns how many."""
    return _fail(Upload.objects.filter(state=Upload.State.READING, heard_at__lt=Now() - LEASE))


def release(upload: Upload) -> bool:
    """Let another reader go on where this one is told to stop, which is no failure."""
    return bool(_held(upload).update(state=Upload.State.WAITING))


def read_again(upload: Upload, delimiter: str) -> bool:
    """Have the bytes that were kept read with another delimiter; what they became before goes, unless saved.

    Returns:
        False where it is being read, or where the bytes are gone.
    """
    with transaction.atomic():
        over = Upload.objects.filter(pk=upload.pk, parts__part=0).exclude(state__in=UNDER_WAY)
        changed = Upload.objects.filter(pk__in=over.values("pk")).update(
            state=Upload.State.WAITING,
            delimiter=delimiter,
            version=None,
            failures=0,
            heard_at=Now(),
            share=0.0,
            rows_read=0,
            error="",
            error_field="",
        )
        if changed and upload.version_id:
            DatasetVersion.objects.filter(pk=upload.version_id, saved_at=None, uploads=None).delete()
    return bool(changed)


@transaction.atomic
def discard(upload: Upload) -> bool:
    """Forget an upload and its draft; a reader notices at its next sign of life. False where it is saved."""
    found = Upload.objects.filter(pk=upload.pk, version__saved_at=None)
    drafts = list(found.values_list("version", flat=True))
    found.delete()
    DatasetVersion.objects.filter(pk__in=drafts, saved_at=None, uploads=None).delete()
    return bool(drafts)


def remove_old() -> int:
    """Remove what was sent long ago, saved or not. Returns how many."""
    return Upload.objects.filter(sent_at__lt=Now() - DRAFTS_LIVE).delete()[0]


def _held(upload: Upload) -> QuerySet[Upload]:
    return Upload.objects.filter(pk=upload.pk, state=Upload.State.READING, attempts=upload.attempts)


def _fail(found: QuerySet[Upload]) -> int:
    is_last = When(failures__gte=MOST_FAILURES - 1, then=Value(Upload.State.REFUSED))
    return found.update(
        state=Case(is_last, default=Value(Upload.State.WAITING)),
        error=Case(When(failures__gte=MOST_FAILURES - 1, then=Value(_SILENT)), default=Value("")),
        failures=F("failures") + 1,
    )
