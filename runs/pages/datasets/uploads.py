"""From a CSV file to a dataset: upload it, choose target and inputs, look at the matrix, save."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from nnlab.data.columns import MAX_CATEGORIES
from nnlab.data.config import DataConfig
from nnlab.data.csv_columns import read_columns
from nnlab.data.csv_reading import UPLOAD_LIMITS, sniffed_delimiter
from nnlab.data.errors import DataError
from nnlab.data.preparation import Prepared, prepare_upload
from nnlab.data.upload_recipes import UploadRecipe
from runs.models import DatasetRecipe, DatasetVersion
from runs.pages.datasets.preview import preview_context
from runs.pages.datasets.upload_forms import RecipeForm, UploadForm
from runs.pages.frame import needs, render_page
from runs.reading.datasets import columns_of_upload, describe, version_named
from runs.store import datasets
from runs.store.datasets import Origin
from runs.submission import project_named, project_slug
from runs.submitted.specification import SubmissionError

SUBMIT = "runs.submit_sweep"
TOO_LARGE = f"Expected a file of at most {UPLOAD_LIMITS.file_bytes:,} bytes, got more; send fewer rows."


class BoundedFile(TemporaryFileUploadHandler):
    """Writes a file to disk as it comes, and no more of it than a dataset may have."""

    too_large = False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write the next piece, or give up."""
        if start + len(raw_data) > UPLOAD_LIMITS.file_bytes:
            self.too_large = True
            raise StopUpload(connection_reset=True)
        super().receive_data_chunk(raw_data, start)


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
    return _form(request, UploadForm(), 413, TOO_LARGE) if handler.too_large else _taken(request)


@csrf_protect
def _taken(request: HttpRequest) -> HttpResponse:
    """Read a file that has come, and keep it as a draft."""
    form = UploadForm(request.POST, request.FILES)
    version = _draft(form, request.user.pk) if form.is_valid() else None
    if version is None:
        return _form(request, form, 400)
    if version.saved_at:
        messages.info(
            request, f"These columns were uploaded before: {version}. There is nothing to save twice."
        )
        return redirect(version)
    messages.success(request, f"{version.rows:,} rows and {version.columns} columns were read. Look at them.")
    return redirect(version)


def _draft(form: UploadForm, user_id: int | None) -> DatasetVersion | None:
    """Read the file of a form; None where it is refused, and the form says why."""
    given = form.cleaned_data
    try:
        project_slug(given["project"])
        content = given["file"].read()
        delimiter = given["delimiter"] or sniffed_delimiter(content, UPLOAD_LIMITS)
        columns = read_columns(content, UPLOAD_LIMITS, delimiter)
    except DataError as error:
        form.add_error("file", str(error))
        return None
    except SubmissionError as error:
        form.add_error("project", str(error))
        return None
    project = project_named(given["project"])
    name = str(given["file"].name)[:200]
    origin = Origin(project.pk, given["name"], name, delimiter, given["licence"], user_id)
    return datasets.keep_draft(columns, origin)


@require_http_methods(["GET", "POST"])
@needs(SUBMIT)
def new_recipe(request: HttpRequest, key: str) -> HttpResponse:
    """Let target, inputs and their preparation be chosen."""
    version = _version(key)
    columns = columns_of_upload(version)
    form = RecipeForm(columns, request.POST or None)
    if form.is_valid() and form.recipe:
        try:
            _prepared(version, form.recipe)
        except DataError as error:
            form.refuse(error)
        else:
            return redirect(datasets.keep_recipe(version, form.recipe, request.user.pk))
    found = describe(key)
    assert found is not None  # noqa: S101 - it was found a moment ago
    context = {
        "version": version,
        "form": form,
        "columns": zip(found.profile.columns, form.of_columns, strict=True),
    }
    return render_page(request, "runs/dataset_roles.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def recipe(request: HttpRequest, key: str, recipe: str) -> HttpResponse:
    """Show what training would see with a recipe, and save it."""
    version = _version(key)
    found = get_object_or_404(DatasetRecipe, version=version, key=recipe)
    if request.method == "POST":
        return _saved(request, found)
    chosen = UploadRecipe.from_dict(found.content)
    columns = columns_of_upload(version)
    context = {"version": version, "recipe": found, "chosen": chosen}
    context |= preview_context(columns, chosen, _prepared(version, chosen))
    return render_page(request, "runs/dataset_preview.html", context)


@needs(SUBMIT)
def _saved(request: HttpRequest, found: DatasetRecipe) -> HttpResponse:
    if datasets.save(found):
        version = DatasetVersion.objects.get(pk=found.version_id)
        messages.success(request, f"{version} is saved with recipe {found.key}: train on it.")
    return redirect(found.version)


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


def _prepared(version: DatasetVersion, chosen: UploadRecipe) -> Prepared:
    config = DataConfig(dataset=version.key, recipe=chosen.hash)
    return prepare_upload(config, columns_of_upload(version), chosen)


def _form(request: HttpRequest, form: UploadForm, status: int = 200, refused: str = "") -> HttpResponse:
    context = {"form": form, "refused": refused, "limits": UPLOAD_LIMITS, "categories": MAX_CATEGORIES}
    return render_page(request, "runs/dataset_upload.html", context, status=status)
