"""New runs are stored as Django would store them, with keys that nobody had before."""

from __future__ import annotations

from typing import Any

import pytest

from runs import submission
from runs.models import Run
from runs.store import new_runs
from tests.runs.builders import build_run, build_sweep
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db

# A run's own, or the database's.
OWN = ("id", "queued_at", "place")


def columns(run: Run) -> dict[str, Any]:
    return {name: value for name, value in Run.objects.values().get(pk=run.pk).items() if name not in OWN}


def test_every_column_is_as_django_writes_it() -> None:
    submission.submit(submission.parse(build_submission(seeds=1)), None)
    stored = Run.objects.get()
    values = {field.attname: getattr(stored, field.attname) for field in Run._meta.concrete_fields}
    again = Run(**{name: value for name, value in values.items() if name not in OWN})
    again.save()
    assert columns(again) == columns(stored)
    assert stored.queued_at is not None


def test_a_purged_run_leaves_its_key_to_nobody() -> None:
    sweep = build_sweep()
    gone = build_run(sweep)
    key = gone.pk
    gone.delete()
    row = Run.objects.get(pk=build_run(sweep).pk)
    row.pk = None
    fresh = [
        Run(**{f.attname: getattr(row, f.attname) for f in Run._meta.concrete_fields if f.name not in OWN})
    ]
    new_runs.insert(fresh)
    assert fresh[0].pk > key
    assert build_run(sweep).pk > fresh[0].pk  # Django's own keys go on behind
