"""Datasets through the API: listed, described, and uploaded in one request."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from nnlab.data.config import DataConfig
from nnlab.data.preparation import prepare
from runs.models import ApiToken, DatasetVersion, Project, UploadPart
from tests.runs import builders, readers

pytestmark = pytest.mark.django_db

HOUSES = "id,rooms,price\n" + "".join(f"{row},{row * 7 % 11},{row * 35 % 97}\n" for row in range(60))


@pytest.fixture
def api(client: Client, settings: Any, tmp_path: Path) -> Client:
    settings.CSV_FOLDER = tmp_path
    token = ApiToken.issue(builders.build_user("submit_sweep").pk, "script")
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def send(api: Client, content: str | bytes, **parameters: str) -> Any:
    query = urlencode({"project": "Houses", "file_name": "houses.csv", **parameters})
    return api.post(f"/api/datasets?{query}", content, content_type="text/csv")


def upload(api: Client, content: str | bytes, **parameters: str) -> Any:
    """Send a file that is taken, let it be read, and return what the API tells of it."""
    answer = send(api, content, **parameters)
    assert answer.status_code == 202, answer.json()
    waiting = answer.json()
    assert (waiting["state"], waiting["dataset"], waiting["errors"]) == ("waiting", None, {})
    readers.read_all()
    return api.get(f"/api/uploads/{waiting['id']}").json()


def test_an_upload_is_a_dataset_that_can_be_trained_on(api: Client, tmp_path: Path) -> None:
    found = upload(api, HOUSES)
    assert (found["state"], found["rows_read"], found["bytes_read"]) == ("read", 60, len(HOUSES))
    told = found["dataset"]
    assert (told["title"], told["kind"], told["rows"], told["columns"]) == (
        "houses, version 1",
        "upload",
        60,
        3,
    )
    prepared = prepare(DataConfig(dataset=told["key"], recipe=told["recipes"][0]), tmp_path)
    assert prepared.feature_names == ("rooms",)
    assert api.get("/api/datasets").json()[0] == told
    assert upload(api, HOUSES)["dataset"] == told
    assert not UploadPart.objects.exists()


def test_another_target_makes_another_recipe_of_the_same_version(api: Client) -> None:
    first, second = upload(api, HOUSES)["dataset"], upload(api, HOUSES, target="rooms")["dataset"]
    assert first["key"] == second["key"]
    assert len(second["recipes"]) == 2


def test_an_upload_is_told_of_to_who_sent_it_alone(api: Client) -> None:
    found = upload(api, HOUSES)
    assert api.get(f"/api/uploads/{found['id'] + 1}").status_code == 404
    token = ApiToken.issue(builders.build_user("submit_sweep").pk, "script")
    api.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    assert api.get(f"/api/uploads/{found['id']}").status_code == 404


def test_the_catalogue_is_listed_and_described(api: Client) -> None:
    keys = {told["key"]: told for told in api.get("/api/datasets").json()}
    assert keys["digits"]["kind"] == "shipped"
    assert keys["spiral"]["kind"] == "generated"
    told = api.get("/api/datasets/penguins").json()
    species = told["columns"][-1]
    assert (species["name"], species["is_target"], species["mean"], species["distinct"]) == (
        "species",
        True,
        None,
        3,
    )
    assert "5 columns with missing values" in told["warnings"][0]


@pytest.mark.parametrize(
    ("content", "parameters", "field", "message"),
    [
        ("a,b\n1,2\n3\n", {}, "dataset", "row 3: expected 2 cells as in the header, got 1"),
        ("", {}, "dataset", "got an empty file"),
        (HOUSES, {"target": "cost"}, "inputs", "expected columns among id, rooms, price, got 'cost'"),
        (b"\x1f\x8b\x08", {}, "dataset", "expected a CSV file, got a gzip archive"),
        (HOUSES, {"delimiter": "x"}, "delimiter", "expected a delimiter among"),
        (HOUSES, {"project": "!!"}, "project", "expected some letters or digits"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_is_kept(
    api: Client, content: str, parameters: dict[str, str], field: str, message: str
) -> None:
    answer = send(api, content, **parameters)
    if answer.status_code == 422:
        errors = answer.json()["errors"]
    else:
        readers.read_all()
        found = api.get(f"/api/uploads/{answer.json()['id']}").json()
        assert found["state"] == "refused"
        errors = found["errors"]
    assert message in errors[field][0]
    assert not DatasetVersion.objects.exists()
    assert not Project.objects.exists()


def test_a_body_that_is_too_large_is_refused(api: Client) -> None:
    assert send(api, b"1,2\n" * 5_000_001).status_code == 413


def test_there_is_nothing_to_tell_of_what_is_no_dataset(api: Client) -> None:
    assert api.get("/api/datasets/nothing").status_code == 404
    assert api.get("/api/datasets/upload:000000000000").status_code == 404


def test_uploading_needs_the_right_to_submit(client: Client) -> None:
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {ApiToken.issue(builders.build_user().pk, 'script')}"
    assert send(client, HOUSES).status_code == 403
