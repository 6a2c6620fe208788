"""The line that says what differs, on the page of a run and of a comparison of two."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from runs.models import Project, Run
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user())
    return client


@pytest.fixture
def pair() -> tuple[Run, Run]:
    """A run, and a clone of it with another depth."""
    sweep = builders.build_sweep()
    first = builders.build_finished_run(sweep, name="first", training={"hidden_units": (8, 8)})
    training = {"hidden_units": (8,) * 4}
    return first, builders.build_finished_run(sweep, name="second", parent=first, training=training)


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(strip_tags(answer.content.decode()).split())


def compared(project: Project) -> str:
    return reverse("compare", args=[project.slug])


def test_a_clone_says_what_was_changed(reader: Client, pair: tuple[Run, Run]) -> None:
    said = "Differs in one knob from first: depth 2 → 4."
    assert said in text_of(reader, pair[1].get_absolute_url())
    assert "Differs in" not in text_of(reader, pair[0].get_absolute_url())


def test_a_comparison_of_two_says_what_differs(reader: Client, pair: tuple[Run, Run]) -> None:
    assert "depth" in text_of(reader, compared(pair[0].project))
    assert "Differs in one knob" in text_of(reader, compared(pair[0].project))
    builders.build_finished_run(pair[0].sweep, training={"hidden_units": (16, 16)})
    assert "Differs in" not in text_of(reader, compared(pair[0].project))


def test_several_changes_are_named(reader: Client) -> None:
    sweep = builders.build_sweep()
    for rate, units in ((0.1, (8,)), (0.5, (8, 8))):
        for seed in (0, 1):
            training = {"learning_rate": rate, "hidden_units": units, "seed": seed}
            builders.build_finished_run(sweep, training=training)
    said = text_of(reader, compared(sweep.project))
    assert "Differs in 2 knobs" in said
    assert "also changed: learning rate" in said
    assert "The seeds differ too" not in said
