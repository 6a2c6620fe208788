"""From a draft to a recipe: choose target and inputs, look at the matrix, save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.forms import BoundField
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from nnlab.data.config import MAX_SEED, DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import Prepared, prepare_upload
from nnlab.data.profile import ColumnProfile
from nnlab.data.upload_recipes import UploadRecipe
from runs.models import DatasetRecipe, DatasetVersion
from runs.pages.datasets.preview import preview_context
from runs.pages.datasets.profile import counts_of
from runs.pages.datasets.recipe_form import KINDS, RecipeForm
from runs.pages.frame import needs, render_page
from runs.reading.datasets import columns_of_upload, describe, version_named
from runs.store import datasets

SUBMIT = "runs.submit_sweep"
_CHOSEN = "recipe_chosen"  # in the session: the form as it was last sent, and for which upload
SETS = {"all": "all columns", "numeric": "columns of numbers", "categorical": "columns of texts"}


@dataclass(frozen=True)
class Role:
    """A line of the table of columns: what is known of it, and its fields."""

    found: ColumnProfile
    use: BoundField
    exception: list[BoundField]

    @property
    def is_open(self) -> bool:
        """Whether it is treated otherwise than the rest, or was refused."""
        return any(field.value() or field.errors for field in self.exception)


@require_http_methods(["GET", "POST"])
@needs(SUBMIT)
def new_recipe(request: HttpRequest, key: str) -> HttpResponse:
    """Let target, inputs and their preparation be chosen."""
    version = _version(key)
    columns = columns_of_upload(version)
    is_setting = "set" in request.POST
    given = None if is_setting else request.POST or None
    form = RecipeForm(columns, given, initial=_chosen_before(request, key))
    if form.is_valid() and form.recipe:
        try:
            _prepared(version, form.recipe)
        except DataError as error:
            form.refuse(error)
        else:
            values = {name: request.POST.get(name, "") for name in form.fields}
            request.session[_CHOSEN] = {"key": key, "values": values}
            return redirect(datasets.keep_recipe(version, form.recipe, request.user.pk))
    found = describe(key)
    assert found is not None  # noqa: S101 - it was found a moment ago
    profiles = found.profile.columns
    if is_setting:
        form = RecipeForm(columns, initial=_set(request.POST, profiles))
    rows = [Role(one, use, rest) for one, (use, *rest) in zip(profiles, form.of_columns, strict=True)]
    context = {
        "version": version,
        "form": form,
        "columns": rows,
        "counts": counts_of(profiles),
        "sets": SETS,
        "kinds": KINDS,
    }
    return render_page(request, "runs/dataset_roles.html", context, status=400 if form.is_bound else 200)


def _chosen_before(request: HttpRequest, key: str) -> dict[str, Any] | None:
    """Return what was chosen for this upload, for who comes back from the preview to choose otherwise."""
    kept = request.session.get(_CHOSEN, {})
    values: dict[str, Any] | None = kept.get("values") if kept.get("key") == key else None
    return values


def _set(given: QueryDict, columns: tuple[ColumnProfile, ...]) -> dict[str, Any]:
    """Use all columns of a kind alike, and leave the rest of the form as it was sent."""
    values: dict[str, Any] = {name: given[name] for name in given}
    kind, use = given.get("set_kind", ""), given.get("set_use", "")
    for place, column in enumerate(columns):
        fits = use in KINDS and (use != "numeric" or column.kind == "numeric")
        if kind in ("all", column.kind) and fits:
            values[f"column-{place}"] = use
    return values


@require_http_methods(["GET", "POST"])
def recipe(request: HttpRequest, key: str, recipe: str) -> HttpResponse:
    """Show what training would see with a recipe, and save it."""
    version = _version(key)
    found = get_object_or_404(DatasetRecipe, version=version, key=recipe)
    if request.method == "POST":
        return _saved(request, found)
    chosen = UploadRecipe.from_dict(found.content)
    seed, prepared = _looked_at(request, version, chosen)
    context = {"version": version, "recipe": found, "chosen": chosen, "split_seed": seed}
    context |= preview_context(columns_of_upload(version), chosen, prepared)
    return render_page(request, "runs/dataset_preview.html", context)


def _looked_at(request: HttpRequest, version: DatasetVersion, chosen: UploadRecipe) -> tuple[int, Prepared]:
    """Split by the seed that the address names, or by 0 with a warning why not."""
    text = request.GET.get("split_seed", "0")
    seed = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else MAX_SEED + 1
    try:
        return seed, _prepared(version, chosen, seed)
    except DataError as error:
        messages.warning(request, f"split_seed={text[:40]}: {error}. The seed 0 is shown.")
    return 0, _prepared(version, chosen)


@needs(SUBMIT)
def _saved(request: HttpRequest, found: DatasetRecipe) -> HttpResponse:
    if datasets.save(found):
        version = DatasetVersion.objects.get(pk=found.version_id)
        messages.success(request, f"{version} is saved with recipe {found.key}: train on it.")
    return redirect(found.version)


def _version(key: str) -> DatasetVersion:
    version = version_named(key)
    if version is None:
        raise Http404(f"There is no upload {key!r}.")
    return version


def _prepared(version: DatasetVersion, chosen: UploadRecipe, seed: int = 0) -> Prepared:
    config = DataConfig(dataset=version.key, recipe=chosen.hash, split_seed=seed)
    return prepare_upload(config, columns_of_upload(version), chosen)
