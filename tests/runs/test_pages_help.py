"""The help page, and the keys that pages offer."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from nnlab.health.checks.catalogue import CHECKS, summary
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep"))
    return client


def test_the_help_page_explains_every_check(reader: Client) -> None:
    text = reader.get(reverse("help")).content.decode()
    assert "gradients that shrink on their way back to the first layers." in text
    for check in CHECKS:
        assert f"?check={check.id}" in text
        assert not summary(check).startswith("Check")


def test_the_keys_of_the_help_page_are_those_of_the_pages(reader: Client) -> None:
    project = builders.build_finished_run().project
    text = reader.get(project.get_absolute_url()).content.decode()
    for key in ("/", "?", "gh", "gr", "gc", "ga", "gd", "gq", "n"):
        assert text.count(f'data-key="{key}"') == 1, key


def test_the_rail_leads_to_the_project_of_a_run(reader: Client) -> None:
    run = builders.build_finished_run()
    text = reader.get(run.get_absolute_url()).content.decode()
    assert f'href="{run.project.get_absolute_url()}" title="Runs of {run.project.name}"' in text
    assert 'data-key="gr"' not in reader.get(reverse("alerts")).content.decode()


def test_the_rail_offers_a_sweep_to_those_who_may_submit_one(client: Client) -> None:
    for user, number in ((builders.build_user(), 0), (builders.build_user("submit_sweep"), 1)):
        client.force_login(user)
        text = client.get(reverse("help")).content.decode()
        assert text.count(f'href="{reverse("sweep-new")}"') == number
