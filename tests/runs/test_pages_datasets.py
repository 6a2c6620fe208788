"""The page of one dataset."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nnlab.data import shipped
from tests.runs import builders

pytestmark = pytest.mark.django_db

HOUSES = "rooms,colour,price\n" + "".join(
    f"{row % 7},{('red', 'green')[row % 2]},{row * 3.5}\n" for row in range(40)
)


@pytest.fixture
def reader(client: Client, settings: Any, tmp_path: Path) -> Client:
    settings.CSV_FOLDER = tmp_path
    client.force_login(builders.build_user("submit_sweep"))
    return client


def text_of(client: Client, key: str, **parameters: Any) -> str:
    answer = client.get(reverse("dataset", args=[key]), parameters)
    assert answer.status_code == HTTPStatus.OK, key
    return answer.content.decode()


@pytest.mark.parametrize("key", shipped.datasets())
def test_every_dataset_of_the_catalogue_has_a_page(reader: Client, key: str) -> None:
    text = text_of(reader, key)
    assert f"?dataset={key}" in text
    assert shipped.datasets()[key].columns[0].name in text
    assert reverse("dataset", args=[key]) in reader.get(reverse("datasets")).content.decode()


def test_a_dataset_of_pictures_shows_some(reader: Client) -> None:
    assert text_of(reader, "digits").count("data:image/png;base64,") == 12
    assert "data:image/png" not in text_of(reader, "wine")


def test_many_columns_are_shown_page_by_page(reader: Client) -> None:
    assert "pixel 49" in text_of(reader, "mnist_5k")
    last = text_of(reader, "mnist_5k", page="16")
    assert "from column 751" in last
    assert "target</span>" in last
    for odd in ("99", "0", "x", "9" * 30):
        assert "columns of 5\u2009000 rows" in text_of(reader, "mnist_5k", page=odd)


def test_a_file_of_the_folder_has_a_page(reader: Client, tmp_path: Path) -> None:
    (tmp_path / "my houses.csv").write_text(HOUSES)
    text = text_of(reader, "my houses.csv")
    for expected in ("3, the target among them", "green (20), red (20)", "dataset=my%20houses.csv"):
        assert expected in text


def test_a_file_that_cannot_be_read_says_why(reader: Client, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3\n")
    assert "row 3: expected 2 cells as in the header, got 1" in text_of(reader, "bad.csv")


def test_names_from_a_file_are_text_and_never_markup(reader: Client, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("<script>,b\n" + "<img src=x>,2\n" * 12)
    text = text_of(reader, "x.csv")
    assert "<script>," not in text
    assert "<img src=x>" not in text


def test_the_runs_that_used_a_dataset_are_listed(reader: Client) -> None:
    run = builders.build_finished_run(dataset="wine")
    assert f'href="{run.get_absolute_url()}"' in text_of(reader, "wine")
    assert "None yet" in text_of(reader, "iris")


def test_a_page_of_a_dataset_takes_few_queries(reader: Client, django_assert_max_num_queries: Any) -> None:
    builders.build_finished_run(dataset="wine")
    with django_assert_max_num_queries(9):
        text_of(reader, "wine")


@pytest.mark.parametrize("key", ["nothing", "no.csv", "..", ".hidden.csv", "\x00"])
def test_there_is_no_page_of_what_is_no_dataset(reader: Client, key: str) -> None:
    assert reader.get(reverse("dataset", args=[key])).status_code == HTTPStatus.NOT_FOUND
