"""Files on their way to a dataset: whoever reads them, and whatever happens to readers, each ends once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from nnlab.data.errors import DataError
from runs.models import DatasetVersion, Project, Upload, UploadPart
from runs.store import datasets, uploads
from runs.store.uploads import Sent, TakenError
from runs.uploading import reading
from tests.runs import builders, readers

pytestmark = pytest.mark.django_db

HOUSES = b"id,rooms;price\n" + b"".join(b"n%d,%d;%d\n" % (row, row % 7, row % 5) for row in range(60))
State = Upload.State


def build_upload(content: bytes = HOUSES, user_id: int | None = None) -> Upload:
    sent = Sent("Houses", "houses", "houses.csv", user_id or builders.build_user().pk)
    return uploads.keep([content[:100], content[100:]], sent)


def claimed(content: bytes = HOUSES) -> Upload:
    build_upload(content)
    upload = uploads.claim()
    assert upload is not None
    return upload


def test_a_file_is_kept_byte_by_byte_and_waits() -> None:
    upload = build_upload()
    assert uploads.content_of(upload) == HOUSES
    assert (upload.state, upload.size) == (State.WAITING, len(HOUSES))


def test_only_one_reader_takes_a_file_and_the_first_that_came() -> None:
    first, second = build_upload(), build_upload()
    assert [taken and taken.pk for taken in (uploads.claim(), uploads.claim(), uploads.claim())] == [
        first.pk,
        second.pk,
        None,
    ]
    assert uploads.ahead_of(build_upload()) == 2


def test_a_silent_reader_loses_its_file_and_cannot_write_any_more() -> None:
    silent = claimed()
    assert uploads.give_back_silent() == 0
    Upload.objects.update(heard_at=timezone.now() - uploads.LEASE - timedelta(seconds=1))
    assert uploads.give_back_silent() == 1
    other = uploads.claim()
    assert other is not None
    assert other.attempts == 2
    with pytest.raises(TakenError):
        uploads.tell(silent, 0.5, 10)
    reading.read(silent)
    assert not DatasetVersion.objects.exists()
    assert not Project.objects.exists()
    reading.read(other)
    assert Upload.objects.get().state == State.READ


def test_a_file_that_kills_its_readers_is_refused_in_the_end() -> None:
    build_upload()
    for _ in range(uploads.MOST_FAILURES):
        upload = uploads.claim()
        assert upload is not None
        assert uploads.give_back(upload)
        assert not uploads.give_back(upload)
    found = Upload.objects.get()
    assert found.state == State.REFUSED
    assert "ended without a word, three times" in found.error


def test_a_reader_that_is_told_to_stop_has_not_failed() -> None:
    upload = claimed()
    assert uploads.release(upload)
    assert (Upload.objects.get().state, Upload.objects.get().failures) == (State.WAITING, 0)


def test_a_file_that_is_discarded_while_it_is_read_leaves_nothing() -> None:
    upload = claimed()
    assert uploads.discard(upload)
    reading.read(upload)
    for model in (Upload, UploadPart, DatasetVersion, Project):
        assert not model.objects.exists()


def test_a_file_read_again_with_another_delimiter_leaves_one_draft() -> None:
    build_upload()
    readers.read_all()
    before = Upload.objects.get()
    assert before.version is not None
    assert (before.delimiter, before.version.columns) == (",", 2)
    assert (before.version.rows, before.rows_read) == (60, 60)
    assert uploads.read_again(before, ";")
    assert not DatasetVersion.objects.exists()
    assert not uploads.read_again(before, ";")
    readers.read_all()
    after = Upload.objects.get()
    assert (after.delimiter, after.state) == (";", State.READ)
    assert uploads.read_again(after, "|")
    readers.read_all()
    refused = Upload.objects.get()
    assert (refused.state, refused.error_field) == (State.REFUSED, "dataset")
    assert uploads.read_again(refused, "")
    readers.read_all()
    assert Upload.objects.get().delimiter == ","


def test_a_draft_of_two_files_stays_while_one_of_them_has_it() -> None:
    first, second = build_upload(), build_upload()
    readers.read_all()
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.version == second.version
    uploads.read_again(first, ";")
    assert uploads.discard(first)
    assert DatasetVersion.objects.get() == second.version
    assert uploads.discard(second)
    assert not DatasetVersion.objects.exists()


def test_the_bytes_go_when_the_dataset_is_saved() -> None:
    upload = build_upload(HOUSES.replace(b";", b","))
    Upload.objects.update(is_for_usual=True, target="rooms")
    readers.read_all()
    upload.refresh_from_db()
    assert upload.version is not None
    assert upload.version.saved_at is not None
    assert not UploadPart.objects.exists()
    assert not uploads.read_again(upload, ";")
    assert not uploads.discard(upload)


def test_what_nobody_saves_goes_after_a_day_and_nobody_keeps_very_many() -> None:
    user_id = builders.build_user().pk
    for _ in range(uploads.MOST_KEPT):
        build_upload(b"a,b\n1,2\n", user_id)
    with pytest.raises(DataError, match="at most 20 files that are not saved as datasets yet, you have 20"):
        build_upload(user_id=user_id)
    build_upload()
    assert len(uploads.unfinished(user_id)) == uploads.MOST_KEPT
    Upload.objects.update(sent_at=timezone.now() - datasets.DRAFTS_LIVE - timedelta(hours=1))
    build_upload(user_id=user_id)
    uploads.remove_old()
    assert Upload.objects.count() == 1
    assert set(UploadPart.objects.values_list("upload", flat=True)) == {Upload.objects.get().pk}


def test_a_reader_without_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading, "read_columns", greedy)
    reading.read(claimed())
    assert "more than the 512 MB that a reader may have" in Upload.objects.get().error
