"""Traces: what no series holds, written once however often a write is tried, and gone with its run."""

from __future__ import annotations

import pytest
from django.utils import timezone

from runs import retention
from runs.models import Run, Trace
from runs.store import trace
from tests.runs import builders

pytestmark = pytest.mark.django_db


def test_notes_are_read_in_the_order_of_writing_and_by_run() -> None:
    first, second = builders.build_run(), builders.build_run()
    trace.write(first.pk, 1, [{"step": 3}])
    trace.write(first.pk, 0, [{"step": 1}, {"step": 2}])
    trace.write(second.pk, 0, [{"step": 9}])
    found = trace.read([first.pk, second.pk])
    assert [note["step"] for note in found[first.pk]] == [1, 2, 3]
    assert [note["step"] for note in found[second.pk]] == [9]
    assert trace.read([second.pk + 1]) == {}


def test_a_write_whose_commit_was_in_doubt_can_be_tried_again() -> None:
    run = builders.build_run()
    trace.write(run.pk, 0, [{"step": 1}])
    trace.write(run.pk, 0, [{"step": 1}, {"step": 2}])
    assert [note["step"] for note in trace.read([run.pk])[run.pk]] == [1, 2]


def test_a_purge_frees_the_trace() -> None:
    run = builders.build_finished_run(deleted_at=timezone.now(), purge_began_at=timezone.now())
    trace.write(run.pk, 0, [{"step": 1}])
    assert retention.purge(10).bytes > 0
    assert (Run.objects.count(), Trace.objects.count()) == (0, 0)
