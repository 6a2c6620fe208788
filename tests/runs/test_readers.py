"""The scheduler's readers: a process for each file, and what becomes of a file whose reader goes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runs.models import Upload
from runs.store import uploads
from runs.uploading import readers
from runs.uploading.readers import Readers
from tests.runs import builders
from tests.runs.store.test_uploads import build_upload

pytestmark = pytest.mark.django_db

State = Upload.State
Programs = Callable[[str], list[list[str]]]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Let another program stand where a reader would be started; what it was to be started with."""
    started: list[list[str]] = []
    popen = subprocess.Popen

    def replace(program: str) -> list[list[str]]:
        def start(words: list[str], **options: Any) -> Any:
            started.append(words[1:])
            return popen([sys.executable, "-c", program], **options)

        monkeypatch.setattr(subprocess, "Popen", start)
        return started

    return replace


def process_of(found: Readers) -> subprocess.Popen[bytes]:
    assert found._process is not None
    return found._process


def test_a_reader_that_dies_gives_its_file_back_at_once(programs: Programs) -> None:
    upload = build_upload()
    started = programs("import sys; sys.exit(9)")
    found = Readers()
    for attempt in range(1, uploads.MOST_FAILURES + 1):
        found.look()
        assert started[-1] == ["-m", "nnlab", "read", str(upload.pk), str(attempt)]
        process_of(found).wait()
    found.look()
    assert Upload.objects.get().state == State.REFUSED
    assert len(started) == uploads.MOST_FAILURES


def test_one_file_is_read_at_a_time(programs: Programs) -> None:
    build_upload()
    build_upload()
    started = programs("import time; time.sleep(60)")
    found = Readers()
    found.look()
    found.look()
    assert len(started) == 1
    found.stop()
    assert list(Upload.objects.values_list("state", "failures")) == [(State.WAITING, 0)] * 2


def test_a_reader_that_takes_too_long_is_ended(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    build_upload()
    programs("import time; time.sleep(60)")
    monkeypatch.setattr(readers, "TIME_LIMIT", -1.0)
    found = Readers()
    found.look()
    process = process_of(found)
    found.look()
    assert process.poll() is not None
    assert "longer than 10 minutes" in Upload.objects.get().error


@pytest.mark.parametrize("is_discarded", [False, True])
def test_a_reader_that_hangs_or_reads_in_vain_is_ended(programs: Programs, is_discarded: bool) -> None:
    upload = build_upload()
    started = programs("import time; time.sleep(60)")
    found = Readers()
    found.look()
    process = process_of(found)
    if is_discarded:
        uploads.discard(upload)
    else:
        Upload.objects.update(heard_at=timezone.now() - timedelta(minutes=1))
        found.look()
    found.look()
    assert process.poll() is not None
    assert len(started) == (1 if is_discarded else 2)
    found.stop()


def test_it_stops_when_it_is_told_and_looks_at_least_once() -> None:
    stopping = threading.Event()
    assert not Readers().rest(stopping, 0.0)
    stopping.set()
    assert Readers().rest(stopping, 60.0)


def test_nothing_to_read_costs_one_query(django_assert_num_queries: Any) -> None:
    found = Readers()
    found.look()
    builders.build_project()
    with django_assert_num_queries(1):
        found.look()
