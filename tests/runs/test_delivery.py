"""The way of points to a database that is away for a while: all of them arrive, each once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import OperationalError, transaction

from nnlab.engine.records import Records, RunInfo
from runs.models import Alert, Chunk, Journal, Ledger, Series
from runs.reading.series import read_series
from runs.training import delivery, findings
from runs.training.recording import Recorder, RunTakenError
from tests.runs.builders import build_running_run
from tests.runs.test_recording import (
    TOKEN,
    assert_same,
    build_event,
    build_records,
    by_hand,
    rechunked,
    run_engine,
    stored,
)

pytestmark = pytest.mark.django_db(transaction=True)


def pieces_of_training() -> tuple[RunInfo, list[Records]]:
    info, all_records = run_engine()
    return info, [piece for piece in rechunked(all_records, 10) if len(piece.losses)]


def test_a_flush_that_fails_leaves_nothing_half_written_and_the_next_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = build_running_run(token=TOKEN, steps_run=0)
    info, pieces = pieces_of_training()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    recorder.record(pieces[0], [build_event()])

    def fail(*_: object) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as away:
        away.setattr(findings, "_store_event", fail)
        assert not recorder.flush()
        run.refresh_from_db()
        assert run.steps_run == 0
        assert [model.objects.count() for model in (Chunk, Journal, Series, Alert)] == [0, 0, 0, 0]
        recorder.record(pieces[1], [])
        assert not recorder.flush()
    assert recorder.flush()
    assert_same(stored(run), by_hand(pieces[:2]))
    assert Alert.objects.get().count == 1
    assert not list(delivery.folder(run.pk).glob("*"))


def test_a_commit_whose_answer_is_lost_is_not_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    run = build_running_run(token=TOKEN)
    info, pieces = pieces_of_training()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    recorder.record(pieces[0], [])

    @contextmanager
    def cut_off() -> Iterator[None]:
        with transaction.atomic():
            yield
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as away:
        away.setattr(delivery, "transaction", SimpleNamespace(atomic=cut_off))
        assert not recorder.flush()
    recorder.record(pieces[1], [])
    assert recorder.flush(final=True)
    assert_same(stored(run), by_hand(pieces[:2]))


def test_what_waits_too_long_is_thinned_and_the_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run = build_running_run(token=TOKEN)
    recorder = Recorder(run.pk, TOKEN, run_engine()[0])
    recorder.start("")
    monkeypatch.setattr(delivery, "LIMIT", 3000)

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as away:
        away.setattr(delivery, "write", fail)
        for start in range(0, 2000, 100):
            recorder.record(build_records(range(start, start + 100), first_step=start + 1), [])
            assert not recorder.flush()
    assert recorder.flush(final=True)
    [loss] = read_series([run.pk], ["train_loss"])
    assert 0 < len(loss.steps) < 1500
    assert loss.values.tolist() == (loss.steps - 1).tolist()
    assert Ledger.objects.get(run=run).thinned > 0


def test_an_attempt_whose_folder_the_next_one_removed_hears_that_the_run_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = build_running_run(token=TOKEN)
    info, pieces = pieces_of_training()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    recorder.record(pieces[0], [])

    def fail(*_: object, final: bool) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as away:
        away.setattr(delivery, "write", fail)
        assert not recorder.flush()
    run.token = uuid4()
    run.save()
    Recorder(run.pk, run.token, info).start("")
    recorder.record(pieces[1], [])
    with pytest.raises(RunTakenError):
        recorder.flush()
