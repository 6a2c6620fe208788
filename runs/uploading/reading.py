"""What a reader does: from the bytes of a file to a draft, to a saved dataset, or to why it is none."""

from __future__ import annotations

import logging
import resource
from time import monotonic

from django.db import transaction

from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import CsvColumn, read_columns
from nnlab.data.csv_reading import UPLOAD_LIMITS, sniffed_delimiter
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare_upload
from nnlab.data.treatments import steps_of
from nnlab.data.upload_recipes import UploadRecipe, usual_inputs
from runs.models import Upload
from runs.store import datasets, uploads
from runs.store.datasets import Origin, Packed
from runs.store.uploads import TakenError
from runs.submission import project_named

logger = logging.getLogger(__name__)

MEMORY = 512 * 2**20  # bytes that a reader may take; the worst files of 20 MB need a third of them
SIGN_SECONDS = 0.5  # between two signs of life
_NO_KEY = "upload:000000000000"  # a recipe is tried before there is a version
_TOO_MUCH = (
    f"Reading this file took more than the {MEMORY // 2**20} MB that a reader may have;"
    " send fewer rows or columns."
)


def bound_memory() -> None:
    """Let this process have no more memory than a reader needs: what asks for more gets a MemoryError."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def read(upload: Upload) -> None:
    """Read a claimed upload, and say how that ended."""
    try:
        _read(upload)
    except DataError as error:
        uploads.refuse(upload, str(error), error.field)
    except MemoryError:
        uploads.refuse(upload, _TOO_MUCH)
    except TakenError:
        logger.info("upload %s was cancelled, or is read by another process", upload.pk)


def _read(upload: Upload) -> None:
    content = uploads.content_of(upload)
    delimiter = upload.delimiter or sniffed_delimiter(content, UPLOAD_LIMITS)
    columns = read_columns(content, UPLOAD_LIMITS, delimiter, _Signs(upload).give)
    recipe = _usual(columns, upload.target) if upload.is_for_usual else None
    rows = len(columns[0].cells)
    uploads.tell(upload, 1.0, rows)
    packed = datasets.pack(columns)
    uploads.tell(upload, 1.0, rows)
    _store(upload, packed, recipe, delimiter)


@transaction.atomic
def _store(upload: Upload, packed: Packed, recipe: UploadRecipe | None, delimiter: str) -> None:
    """Store all of it, or nothing."""
    origin = Origin(
        project_named(upload.project_name).pk,
        upload.name,
        upload.file_name,
        delimiter,
        upload.licence,
        upload.uploaded_by_id,
    )
    version = datasets.keep_draft(packed, origin)
    if recipe is not None:
        datasets.save(datasets.keep_recipe(version, recipe, upload.uploaded_by_id))
    uploads.accept(upload, version, delimiter)


def _usual(columns: tuple[CsvColumn, ...], target: str) -> UploadRecipe:
    """Choose the usual recipe, and see that it fits before anything is kept."""
    target = target or columns[-1].name
    steps = steps_of(numbers="median", categories="own", scaling="z-score", cap=None)
    inputs = usual_inputs(columns, target)
    chosen = UploadRecipe(target=target, inputs=inputs, steps=steps, validation=0.2, test=0.2)
    prepare_upload(DataConfig(dataset=_NO_KEY, recipe=chosen.hash), columns, chosen)
    return chosen


class _Signs:
    """Tells how far the reading is, not more often than people look."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._due = monotonic()

    def give(self, share: float, rows: int) -> None:
        if monotonic() >= self._due:
            uploads.tell(self._upload, share, rows)
            self._due = monotonic() + SIGN_SECONDS
