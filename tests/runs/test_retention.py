"""Retention: what is deleted is out of sight, can be restored, and in the end is gone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs import lifecycle, retention
from runs.models import (
    Alert,
    Chunk,
    Journal,
    Name,
    Project,
    Pyramid,
    Run,
    RunMetric,
    RunParam,
    Series,
    Status,
    Sweep,
    Writer,
)
from runs.pages.highlights import highlights
from runs.reading import inbox, overview
from runs.reading.comparison import select
from runs.reading.sweeps import recent_sweeps
from runs.store.writing import write
from runs.training import delivery
from tests.runs.builders import (
    build_alert,
    build_finished_run,
    build_project,
    build_run,
    build_running_run,
    build_series,
    build_sweep,
    build_user,
)

pytestmark = pytest.mark.django_db


def all_runs() -> Any:
    return Run.objects.all()


def only(*runs: Run) -> Any:
    return Run.objects.filter(pk__in=[run.pk for run in runs])


def build_stored_run(sweep: Sweep | None = None) -> Run:
    """Make a run with a row in every table that can hold one of it."""
    run = build_finished_run(sweep)
    build_series(run, "train_loss", np.sin(np.arange(300.0)), chunk_sizes=[100, 100])
    build_series(run, "gradient_rms", np.cos(np.arange(50.0)), layer=0)
    build_alert(run)
    Pyramid.objects.create(
        run=run, series_number=0, level=0, start=0, points=64, first_step=1, last_step=64, data=b"x" * 10
    )
    write(run.pk, {("train_loss", None): (np.arange(301, 303), np.zeros(2))})
    Writer.objects.create(run=run, writer="w", last_batch=0)
    name, _ = Name.objects.get_or_create(text="val_loss")
    RunMetric.objects.create(run=run, name=name, project=run.project, last=1.0)
    RunParam.objects.create(run=run, name=name, project=run.project, number=1.0)
    return run


def rows_of_runs() -> dict[str, int]:
    """Count the rows of every table whose rows belong to a run, and the runs and sweeps."""
    owned: list[type[Any]] = [
        model
        for model in apps.get_app_config("runs").get_models()
        if not model._meta.proxy
        and model is not Project  # it names a run as its baseline, and stays
        and any(field.related_model is Run for field in model._meta.get_fields() if field.concrete)
    ]
    owned += [Run, Sweep]
    return {model.__name__: model._default_manager.count() for model in owned}


def purge_all() -> retention.Freed:
    retention.begin_purge(all_runs())
    return retention.purge(60)


def test_a_run_is_either_kept_or_in_the_trash() -> None:
    kept, deleted = build_run(), build_run(deleted_at=timezone.now())
    assert list(Run.objects.kept()) == [kept]
    assert list(Run.objects.in_trash()) == [deleted]


def test_a_deleted_run_is_in_no_list_no_figure_and_no_count() -> None:
    sweep = build_sweep()
    build_finished_run(sweep, score=0.5)
    best = build_finished_run(sweep, score=0.99)
    build_alert(best)
    retention.discard(only(best))

    (card,) = overview.project_cards()
    assert (card.runs, card.open_alerts, card.best[0].high) == (1, 0, 0.5)
    assert best not in [found.run for _, shown in highlights([card]) for found in shown]
    assert overview.badges().get("open_alerts", 0) == 0
    assert list(inbox.inbox(inbox.Wanted(), "1")) == []
    (summary,) = recent_sweeps()
    assert (summary.runs, summary.open_alerts) == (1, 0)
    assert best.pk not in [row.pk for row in select(sweep.project, QueryDict(""), []).runs]
    assert best.pk not in [row.pk for row in select(sweep.project, QueryDict(""), [best.pk]).runs]


def test_a_queue_does_not_show_a_run_that_ends_in_the_trash() -> None:
    retention.discard(only(build_running_run()), stop=True)
    assert overview.queue().running_count == 0


def test_a_restored_run_has_all_it_had() -> None:
    run = build_stored_run()
    before = rows_of_runs()
    retention.discard(only(run))
    assert retention.restore(only(run)) == 1
    assert list(Run.objects.kept()) == [run]
    assert rows_of_runs() == before
    assert overview.badges()["open_alerts"] == 1


@pytest.mark.parametrize("build", [build_run, build_running_run])
def test_a_run_that_waits_or_trains_is_left(build: Any) -> None:
    run = build()
    assert retention.discard(only(run)) == retention.Discarded(moved=0, left=1)
    assert Run.objects.kept().count() == 1


def test_a_run_that_waits_can_be_stopped_and_deleted_at_once() -> None:
    run = build_run()
    assert retention.discard(only(run), stop=True) == retention.Discarded(moved=1, left=0)
    assert Run.objects.in_trash().get().status == Status.CANCELLED


def test_a_run_that_trains_ends_in_the_trash_and_is_purged_only_then() -> None:
    run = build_running_run()
    assert retention.discard(only(run), stop=True) == retention.Discarded(moved=1, left=0)
    stopping = Run.objects.in_trash().get()
    assert (stopping.status, stopping.cancel_requested) == (Status.RUNNING, True)
    assert retention.begin_purge(only(run)) == 0
    over = {"status": Status.CANCELLED, "ended_at": timezone.now(), "token": None, "lease_until": None}
    only(run).update(**over)
    assert retention.begin_purge(only(run)) == 1


def test_a_run_that_lost_its_worker_can_be_deleted() -> None:
    run = build_run(status=Status.LOST, started_at=timezone.now(), attempt=1)
    assert retention.discard(only(run)).moved == 1
    assert Run.objects.get().status == Status.CANCELLED  # or it would be queued again, and trained


def test_a_run_in_the_trash_is_not_queued_again() -> None:
    run = build_run(status=Status.CANCELLED, ended_at=timezone.now(), deleted_at=timezone.now())
    assert not lifecycle.requeue(run.pk)
    retention.restore(only(run))
    assert lifecycle.requeue(run.pk)


def test_a_purge_leaves_no_row_and_no_file_of_the_run(settings: LazySettings, tmp_path: Path) -> None:
    settings.NNLAB_HOME = tmp_path
    run, other = build_stored_run(), build_stored_run()
    mine, others = (delivery.folder(found.pk) / "a" / "waiting" for found in (run, other))
    for path in (mine, others):
        path.parent.mkdir(parents=True)
    mine.write_bytes(b"z" * 1000)
    others.write_bytes(b"z")
    clone = build_run(other.sweep, parent=run)
    chunks = list(Chunk.objects.filter(run=run))
    blobs = sum(len(chunk.steps or b"") + len(chunk.data) for chunk in chunks)
    blobs += sum(len(row.batch) for row in Journal.objects.filter(run=run))
    both = rows_of_runs()

    retention.discard(only(run))
    assert purge_all() == retention.Freed(runs=1, bytes=blobs + 10 + 1000)
    left = {name: count // 2 for name, count in both.items()} | {"Run": 2, "Sweep": 1}
    assert rows_of_runs() == left
    assert (mine.exists(), others.exists()) == (False, True)
    clone.refresh_from_db()
    assert clone.parent is None


def test_a_sweep_goes_with_its_last_run() -> None:
    sweep = build_sweep()
    first, second = build_finished_run(sweep), build_finished_run(sweep)
    retention.discard(only(first))
    purge_all()
    assert Sweep.objects.filter(pk=sweep.pk).exists()
    retention.discard(only(second))
    purge_all()
    assert not Sweep.objects.filter(pk=sweep.pk).exists()


def test_only_the_trash_can_be_purged() -> None:
    run = build_stored_run()
    assert purge_all() == retention.Freed()
    assert Run.objects.kept().get() == run


def test_a_purge_that_was_cut_off_is_continued_and_cannot_be_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE", 2)
    run = build_stored_run()
    retention.discard(only(run))
    retention.begin_purge(only(run))
    parts = retention.purging()
    freed = sum((next(parts) for _ in range(3)), retention.Freed())
    parts.close()  # type: ignore[attr-defined]

    assert Chunk.objects.filter(run=run).count() == 2  # of 4
    assert retention.restore(only(run)) == 0
    assert retention.left_to_purge() == 1
    freed += retention.purge(60)
    assert freed.runs == 1
    assert freed.bytes > 500
    assert set(rows_of_runs().values()) == {0}


def test_a_purge_takes_no_more_than_the_time_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE", 1)
    retention.discard(only(build_stored_run(), build_stored_run()))
    retention.begin_purge(all_runs())
    retention.purge(0)
    assert retention.left_to_purge() == 2  # one slice, and the rest is for the next call


@pytest.fixture
def deletions(monkeypatch: pytest.MonkeyPatch) -> Iterator[CaptureQueriesContext]:
    monkeypatch.setattr(retention, "SLICE", 10)
    with CaptureQueriesContext(connection) as queries:
        yield queries


def test_a_long_run_is_purged_in_short_transactions(deletions: CaptureQueriesContext) -> None:
    run = build_finished_run()
    build_series(run, "train_loss", np.zeros(95), chunk_sizes=[1] * 95)
    retention.discard(only(run))
    retention.begin_purge(all_runs())
    for _ in retention.purging():
        left = Chunk.objects.count()
        assert left in {*range(5, 95, 10), 0}
    removals = [query["sql"] for query in deletions if query["sql"].startswith('DELETE FROM "runs_chunk"')]
    assert len(removals) == 12  # ten slices, the look that finds none, and the one that goes with the run


def test_what_was_long_in_the_trash_is_given_up(settings: LazySettings) -> None:
    now = timezone.now()
    old = build_finished_run(deleted_at=now - timedelta(days=31))
    build_finished_run(deleted_at=now - timedelta(days=29))
    build_finished_run()
    settings.TRASH_DAYS = 0
    assert retention.begin_purge_of_expired() == 0
    settings.TRASH_DAYS = 30
    assert retention.begin_purge_of_expired() == 1
    assert Run.objects.get(purge_began_at__isnull=False) == old


def test_people_delete_their_own_runs_and_all_with_the_right_to() -> None:
    owner, other = build_user("submit_sweep"), build_user("submit_sweep")
    keeper, reader = build_user("delete_run"), build_user()
    run = build_finished_run(build_sweep())
    Sweep.objects.filter(pk=run.sweep_id).update(created_by=owner)
    run.sweep.refresh_from_db()
    for user, may in (
        (owner, True),
        (other, False),
        (keeper, True),
        (reader, False),
        (AnonymousUser(), False),
    ):
        assert retention.may_delete(user, run) is may
        assert Run.objects.filter(retention.in_reach_of(user)).exists() is may


def test_a_project_can_be_deleted_once_it_has_no_run_left() -> None:
    project = build_project(slug="mine")
    run = build_finished_run(project=project)
    assert not retention.delete_project(project)
    retention.discard(only(run))
    assert not retention.delete_project(project)
    purge_all()
    assert retention.delete_project(project)
    assert build_project(slug="mine").pk != project.pk  # the address is free again


def test_names_of_purged_runs_can_be_used_again() -> None:
    project = build_project()
    run = build_finished_run(build_sweep(project, "again"), name="again")
    retention.discard(only(run))
    assert build_finished_run(build_sweep(project, "again"), name="again").name == "again"
    purge_all()
    assert [found.name for found in all_runs()] == ["again"]
    assert (Project.objects.count(), Alert.objects.count(), Series.objects.count()) == (1, 0, 0)


def test_purges_that_meet_in_a_runs_folder_both_end() -> None:
    for run_id in range(1, 6):
        folder = delivery.folder(run_id)
        folder.mkdir(parents=True)
        for number in range(1_000):
            (folder / f"waiting-{number}").write_bytes(b"x")
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(retention._remove_files, [run_id, run_id]))
        assert not folder.exists()
