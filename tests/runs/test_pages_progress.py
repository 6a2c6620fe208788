"""The page of a file on its way: what it says in each state, whose it is, and what a stream may watch."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs.models import DatasetVersion, Upload
from runs.store import uploads
from runs.store.uploads import Sent
from tests.runs import builders, readers

pytestmark = pytest.mark.django_db

SMALL = b"a,b\n" + b"".join(b"%d,%d\n" % (row, row % 7) for row in range(40))


@pytest.fixture
def sender(client: Client) -> User:
    user = builders.build_user("submit_sweep")
    client.force_login(user)
    return user


def build_upload(user: User, content: bytes = SMALL) -> Upload:
    return uploads.keep([content], Sent("Houses & <b>", "small", "small.csv", user.pk))


def said(client: Client, upload: Upload) -> str:
    answer = client.get(reverse("upload-now", args=[upload.pk]))
    assert (answer.headers.get("X-Over") == "1") == (not Upload.objects.get(pk=upload.pk).is_under_way)
    text: str = answer.content.decode()
    return text


def test_it_says_how_far_a_file_is_and_where_it_leads(client: Client, sender: User) -> None:
    first, second = build_upload(sender), build_upload(sender, SMALL + b"1,2\n")
    assert "1 file before it: it waits" in said(client, second)
    assert "about to be read" in said(client, first)
    taken = uploads.claim()
    assert taken is not None
    uploads.tell(taken, 0.25, 1_500)
    text = said(client, first)
    assert 'value="25"' in text
    assert "1\u2009500 rows" in text
    uploads.tell(taken, 1.0, 1_500)
    assert "being stored" in said(client, first)
    uploads.release(taken)
    readers.read_all()
    assert "data-next" in said(client, first)
    first.refresh_from_db()
    assert first.version is not None
    answer = client.get(first.get_absolute_url())
    assert answer["Location"] == first.version.get_absolute_url()


def test_a_file_that_nobody_reads_says_who_should(client: Client, sender: User) -> None:
    upload = build_upload(sender)
    Upload.objects.update(heard_at=timezone.now() - timedelta(minutes=2))
    assert "does not seem to run" in said(client, upload)


def test_a_refused_file_says_why_and_offers_what_helps(client: Client, sender: User) -> None:
    upload = build_upload(sender, b"a,b\n1,2\n3\n")
    readers.read_all()
    page = client.get(upload.get_absolute_url()).content.decode()
    assert "row 3: expected 2 cells as in the header, got 1" in page
    assert "?project=Houses+%26+%3Cb%3E" in page
    assert "refresh" not in page
    again = reverse("upload-again", args=[upload.pk])
    answer = client.post(again, {"delimiter": "x"}, follow=True)
    assert "Expected a comma, a semicolon, a tab or a bar" in answer.content.decode()
    assert 'http-equiv="refresh"' in client.post(again, {"delimiter": ";"}, follow=True).content.decode()
    assert "It is being read" in client.post(again, {"delimiter": ","}, follow=True).content.decode()


@pytest.mark.parametrize("name", ["upload-progress", "upload-now", "upload-again", "upload-discard"])
def test_a_file_is_its_senders_alone(client: Client, sender: User, name: str) -> None:
    upload = build_upload(sender)
    address = reverse(name, args=[upload.pk])
    ask = client.post if name in {"upload-again", "upload-discard"} else client.get
    for rights, expected in [
        ([], HTTPStatus.FORBIDDEN),
        (["submit_sweep"], HTTPStatus.NOT_FOUND),
        (["submit_sweep", "delete_datasetversion"], None),
    ]:
        client.force_login(builders.build_user(*rights))
        status = ask(address).status_code
        assert status == expected or (expected is None and status in {HTTPStatus.OK, HTTPStatus.FOUND})


def test_a_saved_dataset_is_not_discarded_with_its_file(client: Client, sender: User) -> None:
    upload = build_upload(sender)
    readers.read_all()
    DatasetVersion.objects.update(saved_at=timezone.now())
    answer = client.post(reverse("upload-discard", args=[upload.pk]), follow=True)
    assert "was saved as a dataset meanwhile" in answer.content.decode()
    assert DatasetVersion.objects.exists()


def test_looking_at_it_takes_few_queries(
    client: Client, sender: User, django_assert_num_queries: Any
) -> None:
    upload = build_upload(sender)
    with django_assert_num_queries(6):  # session, user, two of rights, the upload, those before it
        client.get(reverse("upload-now", args=[upload.pk]))
