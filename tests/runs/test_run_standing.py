"""How a run stands, on top of its page: what is known, what to do next, and what people put on it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from runs.models import Attempt, Checkpoint, Project, Run, Source, Status
from runs.store import marks
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client: Client) -> Client:
    client.force_login(builders.build_user("submit_sweep", "stop_run"))
    return client


def words_of(client: Client, run: Run, tab: str = "") -> str:
    answer = client.get(f"{run.get_absolute_url()}{tab}")
    assert answer.status_code == 200
    return " ".join(
        strip_tags(re.sub(r"<script.*?</script>", "", answer.content.decode(), flags=re.DOTALL)).split()
    )


def act(client: Client, run: Run, **values: Any) -> str:
    """Press a button of the marks on a run's page; what the page says then."""
    address = reverse("runs-selected", args=[run.project.slug])
    answer = client.post(address, {"runs": run.pk, "next": run.get_absolute_url(), **values}, follow=True)
    assert answer.redirect_chain[-1][0] == run.get_absolute_url()
    return answer.content.decode()


def keep(run: Run, step: int) -> None:
    Checkpoint.objects.create(run=run, number=1, step=step, size=1, origin={}, health="", summary={})


# What to do next


def test_a_failed_run_leads_to_its_log_and_says_what_a_retry_does(owner: Client) -> None:
    run = builders.build_finished_run(status=Status.FAILED, stop_reason="error", error="MemoryError: no")
    said = words_of(owner, run)
    assert "MemoryError: no" in said
    assert "The log has the traceback. Retry trains it with the same settings;" in said
    assert "stopped because" not in said
    keep(run, 40)
    assert "the same settings, from the checkpoint of step 40 on;" in words_of(owner, run)


def test_a_lost_run_says_from_where_it_goes_on(owner: Client) -> None:
    run = builders.build_run(status=Status.LOST, attempt=1, worker="host:1", steps_run=310)
    assert "begins anew, for no checkpoint is kept" in words_of(owner, run)
    keep(run, 300)
    assert "goes on from the checkpoint of step 300" in words_of(owner, run)


def test_a_lost_run_of_a_program_says_how_to_take_it_up(owner: Client) -> None:
    run = builders.build_run(status=Status.LOST, attempt=1, source=Source.OUTSIDE)
    assert f"nnlab.client.start(resume={run.pk})" in words_of(owner, run)


def test_a_paused_and_a_stopped_run_say_what_their_button_does(owner: Client) -> None:
    run = builders.build_run(status=Status.PAUSED)
    assert "Resume lets it start." in words_of(owner, run)
    stopped = builders.build_finished_run(status=Status.CANCELLED, stop_reason="cancelled")
    assert "Retry puts it into the queue again." in words_of(owner, stopped)


def test_a_running_run_says_how_long_it_still_takes(owner: Client) -> None:
    began = timezone.now() - timedelta(seconds=60)
    run = builders.build_running_run(steps_run=500, steps_requested=1500, attempt=2, started_at=began)
    Attempt.objects.create(run=run, number=2, began_after=300, started_at=began)
    assert "about 5:00 left" in words_of(owner, run)  # 200 steps a minute, and 1,000 of them


def test_a_run_without_points_has_no_empty_charts(owner: Client) -> None:
    run = builders.build_finished_run(status=Status.FAILED, stop_reason="error", steps_run=0)
    assert "Nothing to draw" in words_of(owner, run)


# How good it is


def test_scores_on_other_data_are_not_compared(owner: Client) -> None:
    project = builders.build_project()
    other = builders.build_finished_run(project=project, score=0.978)
    Project.objects.filter(pk=project.pk).update(baseline=other)
    run = builders.build_finished_run(project=project, score=0.075)
    Run.objects.filter(pk=run.pk).update(dataset="other")
    said = words_of(owner, run)
    assert "so their scores are not compared" in said
    assert "points worse" not in said


def test_the_best_value_stands_beside_the_last(owner: Client) -> None:
    run = builders.build_finished_run(score=0.7)
    builders.build_series(run, run.headline, [0.5, 0.9, 0.7])
    assert "best 90.0 % at step" in words_of(owner, run)


def test_the_first_alert_is_open_and_the_others_are_a_line_each(owner: Client) -> None:
    run = builders.build_finished_run()
    for check in ("vanishing", "dead_layer", "exploding"):
        builders.build_alert(run, check)
    text = owner.get(run.get_absolute_url()).content.decode()
    assert text.count('<details class="run-alert">') == 2
    assert 'class="run-alert"' not in owner.get(reverse("run-alerts", args=[run.pk])).content.decode()


# What people put on it


def test_a_tag_comes_and_goes_on_the_page_of_the_run(owner: Client) -> None:
    run = builders.build_finished_run()
    assert "1 run tagged" in act(owner, run, action="tag", tags="odd")
    assert marks.tags_of([run.pk]) == {run.pk: ["odd"]}
    page = owner.get(reverse("run-config", args=[run.pk])).content.decode()
    assert "Take the tag odd away" in page
    assert "Undo" in act(owner, run, action="untag", tags="odd")
    assert marks.tags_of([run.pk]) == {}


def test_a_run_is_pinned_and_unpinned_on_its_page(owner: Client) -> None:
    run = builders.build_finished_run()
    assert "★ baseline" in act(owner, run, pin=run.pk)
    assert Project.objects.get().baseline_id == run.pk
    assert "No run is pinned" in act(owner, run, pin=run.pk)


def test_a_run_is_archived_and_brought_back_on_its_page(owner: Client) -> None:
    run = builders.build_finished_run()
    page = act(owner, run, action="archive")
    assert ">archived<" in page
    assert 'value="unarchive"' in page
    act(owner, run, action="unarchive")
    assert Run.objects.shown().get() == run


def test_who_may_only_look_sees_tags_and_no_buttons(client: Client) -> None:
    run = builders.build_finished_run()
    marks.tag(Run.objects.all(), ["odd"])
    client.force_login(builders.build_user())
    page = client.get(run.get_absolute_url()).content.decode()
    assert '<span class="badge">odd</span>' in page
    assert 'name="pin"' not in page


def test_a_program_that_logs_no_gradients_is_told_how(owner: Client) -> None:
    run = builders.build_finished_run(source=Source.OUTSIDE)
    said = words_of(owner, run, "gradients/")
    assert "No gradient was measured" in said
    assert "gradient_rms" in said
