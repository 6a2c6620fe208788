"""How far the reading of an upload is, and what can be done about it: stop it, or cut the cells otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from nnlab.data.csv_reading import DELIMITERS
from runs.models import DatasetVersion, Upload
from runs.pages.frame import needs, render_page
from runs.store import uploads

SUBMIT = "runs.submit_sweep"
LATE = timedelta(minutes=1)  # that a file waits though none is before it
NAMES = {"": "found by itself", ",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def again_context(request: HttpRequest, version: DatasetVersion) -> dict[str, Any]:
    """Find the file of a draft, which its owner can have read with another delimiter."""
    return {"kept_file": uploads.file_of(version, request.user.pk), "delimiters": NAMES.items()}


@require_GET
@needs(SUBMIT)
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how far it is; once it is read, the columns."""
    upload = _upload(request, pk)
    if upload.version is not None:
        return redirect(_next(upload))
    return render_page(request, "runs/dataset_progress.html", _context(upload))


@require_GET
@needs(SUBMIT)
def now(request: HttpRequest, pk: int) -> HttpResponse:
    """Return how far it is, for a page that somebody watches."""
    upload = _upload(request, pk)
    answer = render(request, "runs/_upload_progress.html", _context(upload))
    if not upload.is_under_way:
        answer["X-Over"] = "1"
    return answer


@require_POST
@needs(SUBMIT)
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the file read again, with another delimiter."""
    upload = _upload(request, pk)
    delimiter = request.POST.get("delimiter", "")
    if delimiter and delimiter not in DELIMITERS:
        messages.error(request, f"Expected a comma, a semicolon, a tab or a bar, got {delimiter!r:.40}.")
    elif not uploads.read_again(upload, delimiter):
        messages.error(request, "It is being read, or it was saved and its file is gone; upload it again.")
    return redirect(upload)


@require_POST
@needs(SUBMIT)
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a file that is not saved as a dataset, and what was read of it."""
    upload = _upload(request, pk)
    if uploads.discard(upload):
        messages.success(request, f"{upload} was discarded; nothing was kept of it.")
    else:
        messages.error(request, f"{upload} was saved as a dataset meanwhile; delete that instead.")
    return redirect("datasets")


def _upload(request: HttpRequest, pk: int) -> Upload:
    """Find somebody's own upload; administrators see everybody's."""
    found = Upload.objects.select_related("version").filter(pk=pk)
    if not request.user.has_perm("runs.delete_datasetversion"):
        found = found.filter(uploaded_by=request.user.pk)
    upload = found.first()
    if upload is None:
        raise Http404("There is no such upload of yours; what is not saved goes after a day.")
    return upload


def _next(upload: Upload) -> str:
    version = upload.version
    assert version is not None  # noqa: S101 - asked only then
    was_there = version.saved_at is not None and version.saved_at < upload.sent_at
    return version.get_absolute_url() + ("?again" if was_there else "")


def _context(upload: Upload) -> dict[str, Any]:
    ahead = uploads.ahead_of(upload)
    since = timezone.now() - (upload.heard_at or upload.sent_at)
    return {
        "upload": upload,
        "ahead": ahead,
        "is_late": upload.state == Upload.State.WAITING and not ahead and since > LATE,
        "next": _next(upload) if upload.version else "",
        "delimiters": NAMES.items(),
        "new": f"{reverse('upload')}?{urlencode({'project': upload.project_name})}",
    }
