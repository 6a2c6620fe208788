"""The API's OpenAPI document: whole in itself, and every operation that it names answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from runs.models import ApiToken
from tests.runs import builders

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete")
RIGHTS = ("submit_sweep", "stop_run", "change_alert", "delete_run")


@pytest.fixture
def client_of_api() -> Client:
    token = ApiToken.issue(builders.build_user(*RIGHTS).pk, "test")
    return Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=True)


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    client.force_login(builders.build_user())
    found: dict[str, Any] = client.get("/api/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield path, method, operation


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named
    assert named <= set(schemas)


def test_every_operation_is_named_once_described_and_says_what_it_answers(document: dict[str, Any]) -> None:
    every = list(operations(document))
    names = [operation["operationId"] for _, _, operation in every]
    assert len(names) == len(set(names))
    for path, method, operation in every:
        assert operation["responses"], (path, method)
        assert operation["summary"], (path, method)
        told = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert told == set(re.findall(r"{(\w+)}", path)), (path, method)


def test_every_operation_of_the_document_answers(document: dict[str, Any], client_of_api: Client) -> None:
    run = builders.build_finished_run()
    keys = {"run_id": run.pk, "sweep_id": run.sweep_id, "slug": run.project.slug}
    for path, method, _ in operations(document):
        address = re.sub(r"{(\w+)}", lambda found: str(keys.get(found[1], 1)), path)
        answer = client_of_api.generic(method.upper(), address, b"{}", content_type="application/json")
        assert answer.status_code < 500, (method, address)
        assert answer.status_code != 405, (method, address)
        if answer.status_code == 404:  # of what is not there, and not of the address
            assert "detail" in answer.json(), (method, address)


def test_the_filters_of_the_table_are_told_of(document: dict[str, Any]) -> None:
    listing = document["paths"]["/api/runs"]["get"]
    assert "metric.val_loss=..0.3" in listing["description"]
    assert "tag=" in listing["description"]
    assert {"project", "sort", "limit"} <= {one["name"] for one in listing["parameters"]}
    assert "/api/groups" in document["paths"]
