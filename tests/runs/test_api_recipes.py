"""Recipes through the API: the same choices as on the form, and refusals that name the field."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from runs.models import ApiToken, DatasetRecipe, DatasetVersion
from runs.store import datasets
from runs.store.datasets import Origin
from tests.data.uploaded import build_columns
from tests.runs import builders

pytestmark = pytest.mark.django_db

CHOSEN: dict[str, Any] = {
    "target": "price",
    "order": "year",
    "log_target": True,
    "unit": "USD",
    "table": {"scaling": "0 to 1", "cap": [1, 99]},
    "columns": {"rooms": {"scaling": "buckets", "quantiles": 3}},
    "missing_categories": "most frequent",
}


@pytest.fixture
def api(client: Client) -> Client:
    token = ApiToken.issue(builders.build_user("submit_sweep").pk, "script")
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def upload() -> DatasetVersion:
    origin = Origin(builders.build_project().pk, "houses", "houses.csv", ",")
    return datasets.keep_draft(datasets.pack(build_columns()), origin)


def ask(api: Client, key: str, **body: Any) -> Any:
    return api.post(f"/api/datasets/{key}/recipes", body, content_type="application/json")


def test_a_recipe_is_made_and_saved_once(api: Client) -> None:
    version = upload()
    answer = ask(api, version.key, **CHOSEN)
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    assert [told[f"{part}_rows"] for part in ("train", "validation", "test")] == [36, 12, 12]
    recipe = DatasetRecipe.objects.get()
    assert (told["dataset"], told["recipe"]) == (version.key, recipe.key)
    assert recipe.saved_at is not None
    assert [step["step"] for step in recipe.content["steps"]] == [
        *("clip", "bucketise", "min-max", "fill", "one-hot"),
    ]
    assert ask(api, version.key, **CHOSEN).status_code == 200


def test_a_recipe_without_choices_is_the_usual_one(api: Client) -> None:
    version = upload()
    assert ask(api, version.key, target="price").json()["test_rows"] == 12
    content = DatasetRecipe.objects.get().content
    assert content["inputs"] == {"rooms": "numeric", "colour": "categorical", "year": "numeric"}
    assert content["steps"][0] == {"step": "z-score", "columns": []}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "cost"}, "expected columns among id, rooms"),
        ({"columns": {"colour": {}}}, "expected inputs of numbers to be treated otherwise, got 'colour'"),
        ({"table": {"scaling": "loud"}}, "expected a scaling among"),
        ({"table": {"scaling": "buckets", "edges": [1]}}, "for a whole table, got buckets"),
        ({"missing_numbers": "zero"}, "expected numbers among median, mean"),
        ({"validation": 0.6, "test": 0.4}, "at least 10% of the rows to train"),
        ({"parts": "colour", "order": None, "inputs": {"rooms": "numeric"}}, "expected train, validation"),
        ({"tabel": {}}, "tabel"),
        ({"table": {"cap": [1]}}, "cap"),
        ({"unit": "a\x00"}, "unit"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    api: Client, change: dict[str, Any], message: str
) -> None:
    answer = ask(api, upload().key, **(CHOSEN | {"columns": {}} | change))
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not DatasetRecipe.objects.exists()


def test_only_uploads_have_recipes_of_their_own_and_only_submitters_make_them(api: Client) -> None:
    assert ask(api, "iris", target="species").status_code == 404
    token = ApiToken.issue(builders.build_user().pk, "reader")
    api.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    assert ask(api, upload().key, target="price").status_code == 403
