"""Operations on recipes: what is to become of an upload's columns, said by a program."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.errors import HttpError
from pydantic import Field, FiniteFloat

from nnlab.data.config import MAX_SEED, DataConfig
from nnlab.data.csv_columns import CsvColumn
from nnlab.data.errors import DataError
from nnlab.data.preparation import prepare_upload
from nnlab.data.treatments import Cap, Treatment, steps_of
from nnlab.data.upload_recipes import UploadRecipe, usual_inputs
from runs.api.access import require
from runs.api.schemas import ErrorsOut, Word
from runs.reading.datasets import columns_of_upload, version_named
from runs.store import datasets
from runs.submitted.specification import SubmissionError

Limits = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]

router = Router()


class TreatmentIn(Schema, extra="forbid"):
    """How numbers become inputs: ``scaling`` is z-score, none, 0 to 1, -1 to 1, log; of one column buckets.

    ``cap`` has the lower and the upper limit, percentiles of the training rows unless ``cap_percentiles`` is
    false. Buckets have ``edges``, or ``quantiles``: how many there are, equally full.
    """

    scaling: Word = "z-score"
    cap: Limits | None = None
    cap_percentiles: bool = True
    edges: list[FiniteFloat] = []
    quantiles: int = 0

    def treatment(self) -> Treatment:
        """Say it as the data package does."""
        cap: Cap | None = (self.cap[0], self.cap[1], self.cap_percentiles) if self.cap else None
        return Treatment(self.scaling, cap, tuple(self.edges), self.quantiles)


class RecipeIn(Schema, extra="forbid"):
    """A recipe; see the guide to datasets for the choices.

    ``inputs`` has numeric or categorical by column, those that are worth it where it is left out; ``columns``
    how some of them are treated otherwise than ``table`` says.
    """

    target: Word
    task: Word = "auto"
    inputs: dict[Word, Word] | None = None
    table: TreatmentIn = TreatmentIn()
    columns: dict[Word, TreatmentIn] = {}
    missing_numbers: Word = "median"
    missing_categories: Word = "own"
    validation: FiniteFloat = 0.2
    test: FiniteFloat = 0.2
    test_seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    order: Word | None = None
    parts: Word | None = None
    log_target: bool = False
    divide: FiniteFloat = 1.0
    unit: Annotated[Word, Field(max_length=20)] = ""


class RecipeOut(Schema):
    """A saved recipe; ``dataset`` and ``recipe`` are what a submission's ``data`` takes."""

    dataset: str
    recipe: str
    inputs: int
    train_rows: int
    validation_rows: int
    test_rows: int
    notes: list[str]


@router.post(
    "/datasets/{key}/recipes",
    response={200: RecipeOut, 201: RecipeOut, 422: ErrorsOut},
    summary="Make a recipe of an upload",
)
def make_recipe(request: HttpRequest, key: Word, body: RecipeIn) -> Status[Any]:
    """Save what is to become of an upload's columns; the same recipe again is answered with status 200."""
    user = require(request, "runs.submit_sweep")
    version = version_named(key)
    if version is None:
        raise HttpError(404, f"there is no upload {key[:100]!r}")
    columns = columns_of_upload(version)
    try:
        chosen = _recipe(columns, body)
        prepared = prepare_upload(DataConfig(dataset=version.key, recipe=chosen.hash), columns, chosen)
    except DataError as error:
        raise SubmissionError({error.field: [str(error)]}) from error
    is_new = datasets.save(datasets.keep_recipe(version, chosen, user.pk))
    told = {
        "dataset": version.key,
        "recipe": chosen.hash,
        "inputs": prepared.x_train.shape[1],
        "train_rows": len(prepared.x_train),
        "validation_rows": len(prepared.x_val),
        "test_rows": 0 if prepared.x_test is None else len(prepared.x_test),
        "notes": list(prepared.notes),
    }
    return Status(201 if is_new else 200, told)


def _recipe(columns: tuple[CsvColumn, ...], body: RecipeIn) -> UploadRecipe:
    inputs = usual_inputs(columns, body.target) if body.inputs is None else body.inputs
    numeric = [name for name, kind in inputs.items() if kind == "numeric" and name != body.parts]
    odd = [name for name in body.columns if name not in numeric]
    if odd:
        raise DataError("columns", f"expected inputs of numbers to be treated otherwise, got {odd[0]!r:.80}")
    missing = {"numeric": body.missing_numbers, "categorical": body.missing_categories}
    usual = body.table.treatment()
    return UploadRecipe(
        target=body.target,
        task=body.task,
        inputs={name: kind for name, kind in inputs.items() if name != body.parts},
        drop=tuple(kind for kind, choice in missing.items() if choice == "drop"),
        steps=steps_of(
            numbers="median" if body.missing_numbers == "drop" else body.missing_numbers,
            categories="own" if body.missing_categories == "drop" else body.missing_categories,
            scaling=usual.scaling,
            cap=usual.cap,
            exceptions={name: one.treatment() for name, one in body.columns.items()},
            numeric=numeric,
        ),
        order=body.order,
        divide=body.divide,
        unit=body.unit,
        validation=body.validation,
        test=0.0 if body.parts else body.test,
        test_seed=0 if body.parts or body.order else body.test_seed,
        parts=body.parts,
        log_target=body.log_target,
    )
