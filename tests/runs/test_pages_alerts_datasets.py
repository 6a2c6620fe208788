"""The inbox of alerts and the page of datasets."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


def text_of(client: Client, address: str, **parameters: Any) -> str:
    answer = client.get(address, parameters)
    assert answer.status_code == HTTPStatus.OK, address
    return answer.content.decode()


# Alerts


def test_the_inbox_shows_open_alerts_the_worst_first(reader: Client) -> None:
    run = builders.build_finished_run()
    builders.build_alert(run, "a", severity="info", title="a trifle")
    builders.build_alert(run, "b", severity="critical", title="a disaster")
    builders.build_alert(
        run, "c", severity="critical", title="of the past", state="resolved", resolved_step=3
    )
    text = text_of(reader, reverse("alerts"))
    assert text.index("a disaster") < text.index("a trifle")
    assert "of the past" not in text
    assert "of the past" in text_of(reader, reverse("alerts"), state="", severity="critical")
    assert "No alert matches" in text_of(reader, reverse("alerts"), severity="warning")


def test_the_badge_counts_what_is_open_and_no_trifle(reader: Client) -> None:
    run = builders.build_finished_run()
    for check, severity in {"a": "info", "b": "warning", "c": "critical"}.items():
        builders.build_alert(run, check, severity=severity)
    assert reader.get(reverse("datasets")).context["open_alerts"] == 2


# Datasets


def test_datasets_come_with_their_licence_and_the_place_for_csv_files(
    reader: Client, settings: Any, tmp_path: Any
) -> None:
    settings.CSV_FOLDER = tmp_path
    (tmp_path / "prices & co.csv").write_text("a,b\n1,2\n")
    text = text_of(reader, reverse("datasets"))
    for expected in ("california_housing", "digits", str(tmp_path), "dataset=prices%20%26%20co.csv", "lab6"):
        assert expected in text


def test_a_cap_is_told_in_the_unit_of_the_target(reader: Client) -> None:
    assert "(USD), cut off at 500\u2009001" in text_of(reader, reverse("datasets"))


def test_a_dataset_of_many_columns_names_the_first_of_them(reader: Client) -> None:
    text = text_of(reader, reverse("datasets"))
    assert "pixel 31" in text
    assert "pixel 783" not in text
    assert "and 752 more" in text


def test_an_empty_inbox_says_what_alerts_are(reader: Client) -> None:
    assert "vanishing and exploding gradients" in text_of(reader, reverse("alerts"))


def test_an_alert_of_the_inbox_leads_to_its_card(reader: Client) -> None:
    alert = builders.build_alert(builders.build_finished_run())
    text = text_of(reader, reverse("alerts"))
    assert f'href="{alert.run.get_absolute_url()}#alert-{alert.pk}"' in text
    assert f'id="alert-{alert.pk}"' in text_of(reader, alert.run.get_absolute_url())
