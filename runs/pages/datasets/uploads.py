"""From a CSV file to a dataset: upload it, choose target and inputs, look at the matrix, save."""

from __future__ import annotations

from typing import NoReturn

from django.contrib import messages
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from nnlab.data.columns import MAX_CATEGORIES
from nnlab.data.csv_reading import UPLOAD_LIMITS, check_head
from nnlab.data.errors import DataError
from runs.models import DatasetVersion, Upload
from runs.pages.datasets.upload_forms import UploadForm
from runs.pages.frame import needs, render_page
from runs.reading.datasets import version_named
from runs.store import datasets, uploads
from runs.store.uploads import Sent
from runs.submission import project_slug
from runs.submitted.specification import SubmissionError

SUBMIT = "runs.submit_sweep"
TOO_LARGE = f"Expected a file of at most {UPLOAD_LIMITS.file_bytes:,} bytes, got more; send fewer rows."


class BoundedFile(TemporaryFileUploadHandler):
    """Writes a file to disk as it comes, no more of it than a dataset may have and nothing but text."""

    refused: tuple[int, str] | None = None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write the next piece, or give up."""
        if start + len(raw_data) > UPLOAD_LIMITS.file_bytes:
            self._give_up(413, TOO_LARGE)
        if start == 0:
            try:
                check_head(raw_data)
            except DataError as error:
                self._give_up(400, str(error))
        super().receive_data_chunk(raw_data, start)

    def _give_up(self, status: int, why: str) -> NoReturn:
        self.refused = status, why
        raise StopUpload(connection_reset=True)


@csrf_exempt  # the body is read here, within its bounds, before the token in it is looked at
@require_http_methods(["GET", "POST"])
@needs(SUBMIT)
def upload(request: HttpRequest) -> HttpResponse:
    """Show the form of an upload, or take a file."""
    if request.method == "GET":
        return _form(request, UploadForm(initial={"project": request.GET.get("project", "")}))
    handler = BoundedFile(request)
    request.upload_handlers = [handler]
    try:
        request.POST.keys()
    except RequestDataTooBig:
        return _form(request, UploadForm(), 413, TOO_LARGE)
    except MultiPartParserError as error:
        return _form(request, UploadForm(), 400, f"Expected a form with a file, got a broken one: {error}")
    if handler.refused:
        return _form(request, UploadForm(), *handler.refused)
    return _taken(request)


@csrf_protect
def _taken(request: HttpRequest) -> HttpResponse:
    """Keep a file that has come, to be read by another process."""
    form = UploadForm(request.POST, request.FILES)
    kept = _kept(form, request.user.pk) if form.is_valid() else None
    return redirect(kept) if kept else _form(request, form, 400)


def _kept(form: UploadForm, user_id: int | None) -> Upload | None:
    """Store the file of a form; None where it is refused, and the form says why."""
    given = form.cleaned_data
    said = {name: given[name] for name in ("name", "delimiter", "licence")}
    try:
        project_slug(given["project"])
        sent = Sent(
            project_name=given["project"],
            file_name=str(given["file"].name)[:200],
            uploaded_by_id=user_id,
            **said,
        )
        return uploads.keep(given["file"].chunks(uploads.PART_BYTES), sent)
    except DataError as error:
        form.add_error("file", str(error))
    except SubmissionError as error:
        form.add_error("project", str(error))
    return None


@require_POST
@needs(SUBMIT)
def delete(request: HttpRequest, key: str) -> HttpResponse:
    """Delete a version that no run uses."""
    version = _version(key)
    if version.uploaded_by_id != request.user.pk and not request.user.has_perm("runs.delete_datasetversion"):
        raise PermissionDenied("Only who uploaded a dataset, or an administrator, can delete it.")
    runs = datasets.delete(version)
    if runs:
        names = ", ".join(f"{run.name} (run {run.pk})" for run in runs)
        messages.error(request, f"{version} was not deleted, because runs use it: {names}.")
        return redirect(version)
    messages.success(request, f"{version} was deleted.")
    return redirect("datasets")


def _version(key: str) -> DatasetVersion:
    version = version_named(key)
    if version is None:
        raise Http404(f"There is no upload {key!r}.")
    return version


def _form(request: HttpRequest, form: UploadForm, status: int = 200, refused: str = "") -> HttpResponse:
    context = {"form": form, "refused": refused, "limits": UPLOAD_LIMITS, "categories": MAX_CATEGORIES}
    return render_page(request, "runs/dataset_upload.html", context, status=status)
