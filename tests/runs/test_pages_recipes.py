"""The form of a recipe and its preview: every choice of the wizard, by field and by column."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from nnlab.data.csv_columns import CsvColumn
from runs.models import DatasetRecipe, DatasetVersion
from runs.store import datasets
from runs.store.datasets import Origin
from tests.data.uploaded import build_columns
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def submitter(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


def draft(*more: CsvColumn, rows: int = 60) -> DatasetVersion:
    """Keep id, rooms, colour, year, what is given, and price."""
    *inputs, price = build_columns(rows=rows)
    origin = Origin(builders.build_project().pk, "houses", "houses.csv", ",")
    return datasets.keep_draft(datasets.pack([*inputs, *more, price]), origin)


def filled(client: Client, version: DatasetVersion, **changes: str) -> dict[str, str]:
    """Fill the form as the page does."""
    form = client.get(reverse("recipe-new", args=[version.key])).context["form"]
    first = {field.html_name: next(iter(getattr(field.field, "choices", [("",)])))[0] for field in form}
    typed = {field.html_name: field.value() for field in form if field.value() is not None}
    return first | typed | {name.replace("_at_", "-"): value for name, value in changes.items()}


def chosen(client: Client, version: DatasetVersion, **changes: str) -> Any:
    values = filled(client, version, **changes)
    return client.post(reverse("recipe-new", args=[version.key]), values, follow=True)


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DatasetRecipe.objects.get().content["steps"]
    return found


def test_three_fifths_train_unless_somebody_says_otherwise(submitter: Client) -> None:
    text = chosen(submitter, draft()).content.decode()
    assert "36 to train, 12 to validate, 12 to test: at random, split by seed 0" in text
    content = DatasetRecipe.objects.get().content
    assert (content["validation"], content["test"], content.get("test_seed", 0)) == (0.2, 0.2, 0)


def test_shares_seed_and_order_reach_the_recipe(submitter: Client) -> None:
    version = draft()
    text = chosen(submitter, version, rows="order:year", validation="0.3", test="0.1").content.decode()
    assert "36 to train, 18 to validate, 6 to test: the last by year" in text
    chosen(submitter, version, rows="", test="0", test_seed="5", validation="0.25")
    content = DatasetRecipe.objects.order_by("-pk")[0].content
    assert (content["validation"], content.get("test", 0), content["test_seed"]) == (0.25, 0, 5)


def test_a_column_that_names_parts_is_found_and_followed(submitter: Client) -> None:
    part = CsvColumn("part", np.arange(60, dtype=np.float64) % 3, ("test", "train", "val"))
    version = draft(part)
    form = submitter.get(reverse("recipe-new", args=[version.key])).context["form"]
    assert (form["rows"].value(), form["column-4"].value()) == ("parts:part", "")
    text = chosen(submitter, version, column_at_4="categorical").content.decode()
    assert "20 to train, 20 to validate, 20 to test: as part says" in text
    assert "part" not in DatasetRecipe.objects.get().content["inputs"]


def test_a_column_is_treated_by_itself_and_the_rest_as_the_table(submitter: Client) -> None:
    version = draft()
    answer = chosen(
        submitter, version, scaling="0 to 1", scaling_at_1="log", cap_at_1="values", at_at_1="0, 9"
    )
    assert "rooms: capped at the values 0 and 9" in answer.content.decode()
    assert [(step["step"], step.get("columns")) for step in steps()][:-2] == [
        ("clip", ["rooms"]),
        ("log", ["rooms"]),
        ("z-score", ["rooms"]),
        ("min-max", ["year"]),
    ]


def test_a_cap_of_the_table_can_be_lifted_for_a_column(submitter: Client) -> None:
    chosen(submitter, draft(), cap="percentiles", cap_at_3="nowhere")
    assert [(step["step"], step.get("columns")) for step in steps()][:3] == [
        ("clip", ["rooms"]),
        ("z-score", ["rooms"]),
        ("z-score", ["year"]),
    ]


@pytest.mark.parametrize(
    ("choice", "at", "words", "inputs"),
    [
        ("edges", "1920, 1940", "year: buckets at 1920, 1940", "year: 1920 to 1940"),
        ("equal buckets", "3", "year: 3 buckets, equally full", "year: ≥"),
    ],
)
def test_a_number_is_put_into_buckets(
    submitter: Client, choice: str, at: str, words: str, inputs: str
) -> None:
    text = chosen(submitter, draft(), scaling_at_3=choice, at_at_3=at).content.decode()
    assert words in text
    assert inputs in text


def test_a_logarithm_of_the_target_is_said_on_the_preview(submitter: Client) -> None:
    text = chosen(submitter, draft(), label="log", unit="USD").content.decode()
    assert "learned as log(1 + x)" in text
    assert "price (USD)" in text


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"scaling_at_3": "edges", "at_at_3": "5, 2"}, "at-3", "expected increasing edges"),
        ({"scaling_at_3": "edges"}, "at-3", "expected increasing edges"),
        ({"scaling_at_3": "equal buckets", "at_at_3": "1"}, "at-3", "number of buckets, from 2 to 50"),
        ({"cap_at_3": "values", "at_at_3": "5"}, "at-3", "expected both limits"),
        ({"cap_at_3": "values", "at_at_3": "a, b"}, "at-3", "expected numbers divided by commas"),
        ({"cap_at_3": "values", "at_at_3": "1, inf"}, "at-3", "expected finite numbers"),
        ({"at_at_3": "1, 99"}, "at-3", "choose which"),
        ({"validation": "0.5", "test": "0.5"}, "test", "at least 10% of the rows to train"),
        ({"validation": "nan"}, "validation", "Enter a number"),
        ({"test_seed": "-1"}, "test_seed", "greater than or equal to 0"),
        ({"label": "log", "divide": "10"}, "divide", "expected 1 for a logarithm"),
        ({"rows": "parts:colour"}, "rows", "Select a valid choice"),
        ({"cap": "values", "cap_low": ""}, "cap", "expected both limits"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(
    submitter: Client, changes: dict[str, str], field: str, message: str
) -> None:
    answer = chosen(submitter, draft(), **changes)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert message in " ".join(answer.context["form"].errors[field])
    assert not DatasetRecipe.objects.exists()


def test_missing_values_are_counted_by_kind(submitter: Client) -> None:
    form = submitter.get(reverse("recipe-new", args=[draft().key])).context["form"]
    rooms, colour = (column.cells for column in build_columns()[1:3])
    gaps = int(np.isnan(rooms).sum()), int(np.isnan(colour).sum())
    assert form["numbers"].help_text == f"{gaps[0]} cells of 1 column lack one, in {gaps[0]} of 60 rows."
    assert form["categories"].help_text == f"{gaps[1]} cells of 1 column lack one, in {gaps[1]} of 60 rows."


def test_all_columns_of_a_kind_can_be_set_at_once_and_nothing_else_is_lost(submitter: Client) -> None:
    version = draft()
    values = filled(submitter, version, test="0.1", scaling_at_3="log", column_at_2="")
    asked = {"set": "1", "set_kind": "numeric", "set_use": "categorical"}
    answer = submitter.post(reverse("recipe-new", args=[version.key]), values | asked)
    form = answer.context["form"]
    assert answer.status_code == HTTPStatus.OK
    assert [form[f"column-{place}"].value() for place in range(4)] == ["categorical"] * 2 + [
        "",
        "categorical",
    ]
    assert (form["test"].value(), form["scaling-3"].value()) == ("0.1", "log")
    asked = {"set": "1", "set_kind": "all", "set_use": "numeric"}
    form = submitter.post(reverse("recipe-new", args=[version.key]), values | asked).context["form"]
    assert [form[f"column-{place}"].value() for place in range(4)] == ["numeric", "numeric", "", "numeric"]
    assert not DatasetRecipe.objects.exists()


def test_who_chooses_otherwise_finds_what_was_chosen(submitter: Client) -> None:
    version, other = draft(), draft(rows=70)
    changes = {"unit": "EUR", "scaling_at_1": "equal buckets", "at_at_1": "4", "column_at_2": ""}
    answer = chosen(submitter, version, **changes)
    back = reverse("recipe-new", args=[version.key])
    assert f'href="{back}"' in answer.content.decode()
    assert (
        filled(submitter, version).items()
        >= {"unit": "EUR", "scaling-1": "equal buckets", "at-1": "4"}.items()
    )
    assert filled(submitter, version)["column-2"] == ""
    assert filled(submitter, other)["unit"] == ""


def test_the_preview_can_be_split_by_another_seed(submitter: Client) -> None:
    chosen(submitter, draft())
    address = DatasetRecipe.objects.get().get_absolute_url()
    first, other = (submitter.get(address, {"split_seed": seed}).context for seed in ("0", "7"))
    assert not np.array_equal(first["prepared"].x_train, other["prepared"].x_train)
    assert np.array_equal(first["prepared"].y_test, other["prepared"].y_test)
    odd = submitter.get(address, {"split_seed": "-1"})
    assert odd.context["split_seed"] == 0
    assert "split_seed=-1" in odd.content.decode()
    for text in ("9" * 30, "٣", "x"):
        assert submitter.get(address, {"split_seed": text}).status_code == HTTPStatus.OK


def test_a_sweep_begins_with_the_shares_and_the_seed_of_the_preview(submitter: Client) -> None:
    chosen(submitter, draft(), validation="0.3")
    recipe = DatasetRecipe.objects.get()
    datasets.save(recipe)
    page = submitter.get(recipe.get_absolute_url(), {"split_seed": "7"}).content.decode()
    assert f"recipe={recipe.key}&amp;validation_share=0.3&amp;split_seed=7" in page
    form = submitter.get(
        reverse("sweep-new"), {"validation_share": "0.3", "split_seed": "7", "dataset": recipe.version.key}
    ).context["form"]
    assert (form["validation_share"].value(), form["split_seed"].value()) == ("0.3", "7")


def test_five_hundred_columns_can_be_chosen_among(
    submitter: Client, django_assert_max_num_queries: Any
) -> None:
    columns = [CsvColumn(f"c{place}", np.random.default_rng(place).normal(size=40)) for place in range(500)]
    origin = Origin(builders.build_project().pk, "wide", "wide.csv", ",")
    version = datasets.keep_draft(datasets.pack(columns), origin)
    values = filled(submitter, version)
    assert len(values) > 2_000
    with django_assert_max_num_queries(20):
        answer = submitter.post(reverse("recipe-new", args=[version.key]), values)
    assert answer.status_code == HTTPStatus.FOUND


@pytest.mark.parametrize(
    ("key", "counts"),
    [
        ("breast_cancer", {"all": 31, "numeric": 30, "categorical": 1, "warned": 5}),
        ("iris", {}),  # few columns are seen at once
        ("digits", {}),  # and many are on pages
    ],
)
def test_the_columns_of_a_dataset_can_be_narrowed_where_that_helps(
    client: Client, key: str, counts: dict[str, int]
) -> None:
    client.force_login(builders.build_user())
    answer = client.get(reverse("dataset", args=[key]))
    assert answer.context["counts"] == counts
    assert ("show-numeric" in answer.content.decode()) == bool(counts)
