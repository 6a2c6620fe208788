"""Models: what the database refuses, how rows name themselves, and that migrations are complete."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from runs.models import Alert, ApiToken, Chunk, Project, Run, Series, Sweep
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


def test_migrations_are_complete() -> None:
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_the_systems_own_checks_find_nothing() -> None:
    call_command("check", fail_level="WARNING", stdout=StringIO(), stderr=StringIO())


def test_an_alert_is_stored_once_per_run_and_check() -> None:
    run = build_run()
    build_alert(run)
    build_alert(run, "dead_layer")
    build_alert(build_run())
    with pytest.raises(IntegrityError), transaction.atomic():
        build_alert(run)


def test_an_alert_has_a_resolved_step_exactly_when_it_is_resolved() -> None:
    run = build_run()
    name = "alert_resolved_iff_it_has_a_resolved_step"
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        build_alert(run, state="resolved")
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        build_alert(run, resolved_step=9)
    build_alert(run, state="resolved", resolved_step=9)


def test_a_series_number_is_unique_in_its_run() -> None:
    run = build_run()
    build_series(run, "train_loss", [1.0])
    with pytest.raises(IntegrityError), transaction.atomic():
        Series.objects.create(run=run, number=0, metric="val_loss", points=1, first_step=1, last_step=1)


def test_a_chunk_is_named_by_run_series_and_the_points_before_it() -> None:
    run = build_run()
    build_series(run, "train_loss", [1.0, 2.0, 3.0], chunk_sizes=[2])
    assert list(Chunk.objects.order_by("pk").values_list("pk", flat=True)) == [(run.pk, 0, 0), (run.pk, 0, 2)]


def test_deleting_a_project_deletes_all_that_belongs_to_it_and_nothing_else() -> None:
    project, other = build_project(), build_run()
    run = build_run(project=project)
    clone = build_run(other.sweep, parent=run)
    build_series(run, "train_loss", [1.0])
    build_alert(run)
    project.delete()
    assert list(Run.objects.order_by("pk")) == [other, clone]
    clone.refresh_from_db()
    assert clone.parent is None
    assert [model.objects.count() for model in (Series, Chunk, Alert)] == [0, 0, 0]


def test_a_sweep_outlives_who_submitted_it() -> None:
    user = build_user()
    sweep = build_sweep()
    Sweep.objects.update(created_by=user)
    user.delete()
    sweep.refresh_from_db()
    assert sweep.created_by is None


def test_a_projects_address_is_its_own() -> None:
    build_project(slug="lab-6")
    with pytest.raises(IntegrityError), transaction.atomic():
        build_project(slug="lab-6")


def test_rows_know_their_pages() -> None:
    run = build_run(project=build_project(slug="lab-6"))
    assert run.get_absolute_url() == f"/r/{run.pk}/"
    assert run.project.get_absolute_url() == "/p/lab-6/"
    assert run.sweep.get_absolute_url() == f"/p/lab-6/compare/?sweep={run.sweep.pk}"


def test_rows_are_called_by_their_names() -> None:
    run = build_run()
    layer = build_series(run, "gradient_rms", [1.0, 2.0], layer=2)
    assert [str(row) for row in (run.project, run.sweep, run)] == [
        run.project.name,
        run.sweep.name,
        run.name,
    ]
    assert str(layer) == "gradient_rms of layer 2"
    assert str(build_series(run, "train_loss", [1.0])) == "train_loss"
    assert str(Chunk.objects.get(series_number=layer.number)) == "steps 1 to 2"
    assert str(build_alert(run)) == "Vanishing gradient: hidden 1"


def test_progress_is_a_share_and_never_above_one() -> None:
    assert build_run().progress == 0.0
    assert build_running_run(steps_run=50).progress == 0.5
    assert build_running_run(steps_run=101).progress == 1.0
    assert build_run(steps_requested=0).progress == 0.0


def test_the_queue_serves_the_longest_waiting_first() -> None:
    runs = [build_run() for _ in range(3)]
    build_finished_run()
    assert list(Run.objects.awaiting_worker()) == runs


def test_a_token_is_stored_as_its_hash_alone() -> None:
    secret = ApiToken.issue(build_user().pk, "nightly")
    token = ApiToken.objects.get()
    assert secret.startswith("nnlab_")
    assert len(secret) > 40
    assert secret not in [str(value) for value in vars(token).values()]
    assert token.digest == ApiToken.digest_of(secret)
    assert str(token) == "nightly"


def test_two_tokens_are_never_alike() -> None:
    user = build_user()
    assert ApiToken.issue(user.pk, "one") != ApiToken.issue(user.pk, "one")
    assert Project.objects.count() == 0
