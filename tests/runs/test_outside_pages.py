"""The pages of runs that a program outside trains: whatever it did not say, no page breaks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from runs.models import Ledger, Status
from runs.pages.run import outside
from tests.runs.builders import build_finished_run, build_series, build_sweep, build_user
from tests.runs.outside import build_outside_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    signed_in = Client()
    signed_in.force_login(build_user("submit_sweep", "stop_run"))
    return signed_in


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


@pytest.mark.parametrize(
    "status", [Status.RUNNING, Status.LOST, Status.FINISHED, Status.FAILED, Status.CANCELLED]
)
def test_a_run_that_said_nothing_of_itself_has_pages(client: Client, status: Status) -> None:
    run = build_outside_run(status)
    text = page(client, run.get_absolute_url())
    assert "Logged from outside" in text
    assert "No metric yet" in text
    assert "None" not in re.sub(r"<[^>]*>", "", text)
    assert ("start(resume=" in text) is (status != Status.RUNNING)
    for address in ("/", run.project.get_absolute_url(), f"{run.project.get_absolute_url()}compare/"):
        page(client, address)
    page(client, f"{run.project.get_absolute_url()}sweeps/")
    page(client, f"/r/{run.pk}/live/")


def test_what_only_the_engine_can_do_is_not_offered(client: Client) -> None:
    run = build_outside_run(Status.FINISHED)
    assert "Clone" not in page(client, run.get_absolute_url())
    assert "trained by a program outside" in page(client, f"/sweeps/new/?from={run.pk}")
    client.post(f"/r/{run.pk}/clone/")
    assert "only that program" in page(client, run.get_absolute_url())


def test_every_metric_has_a_chart_under_the_beginning_of_its_name(client: Client) -> None:
    run = build_outside_run(headline="val/acc")
    for metric in ("loss", "val/loss", "val/acc", "_t"):
        build_series(run, metric, [1.0, 2.0])
    for layer in range(20):
        build_series(run, "rms", [1.0, 2.0], layer=layer)
    found = outside.gallery(run)
    assert [(section.title, [chart.title for chart in section.charts]) for section in found.sections] == [
        ("val", ["val/acc", "val/loss"]),
        ("", ["Loss", "Rms, 12 of 20 layers"]),
    ]
    assert "<h2>val</h2>" in page(client, run.get_absolute_url())


def test_metrics_beyond_two_dozen_are_named_not_drawn(client: Client) -> None:
    run = build_outside_run()
    for number in range(30):
        build_series(run, f"metric {number}", [1.0])
    text = page(client, run.get_absolute_url())
    assert text.count("data-chart-plot") == outside.MAX_CHARTS
    assert "not drawn <a href=" in text


def test_names_and_values_from_outside_are_escaped(client: Client) -> None:
    evil = "<script>alert(1)</script>"
    run = build_outside_run(name=evil, config={evil: {evil: evil}, "list": [1, {"a": None}]}, headline="<b>")
    build_series(run, evil, [1.0])
    text = page(client, run.get_absolute_url())
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_the_page_says_what_was_left_out(client: Client) -> None:
    run = build_outside_run()
    build_series(run, "loss", [1.0, 2.0])
    Ledger.objects.filter(run=run).update(batches=3, pending_points=40, thinned=4)
    text = page(client, run.get_absolute_url())
    assert "one step in 16" in text
    assert "in 3 writes" in text


def live(client: Client, run: Any, after: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(client.get(f"/r/{run.pk}/live/", {"after": after}).content)
    return answer


def test_charts_are_drawn_again_where_points_came_and_some_time_went_by(client: Client) -> None:
    run = build_outside_run()
    series = build_series(run, "loss", [1.0, 2.0])
    state, _, moment = outside.gallery(run).cursor.rpartition("_")
    assert "replace" not in live(client, run, f"{state}_{int(moment) - 60}")
    assert "replace" not in live(client, run, f"1_0_{int(moment) + 60}")
    news = live(client, run, f"1_0_{int(moment) - 60}")
    assert list(news["replace"]) == [f"metric-{series.number}"]
    assert news["next"].startswith(state)
    assert live(client, run, "nonsense")["replace"]
    assert "Logged from outside" in news["fragments"]["run-figures"]


def test_the_answer_names_charts_of_metrics_that_began_since_and_the_page_has_them(client: Client) -> None:
    run = build_outside_run()
    _, _, moment = outside.gallery(run).cursor.rpartition("_")
    series = build_series(run, "loss", [1.0, 2.0])
    news = live(client, run, f"1_0_{int(moment) - 60}")
    assert list(news["replace"]) == [f"metric-{series.number}"]
    grown = page(client, run.get_absolute_url()).partition('id="gallery"')[2]
    assert f'id="metric-{series.number}"' in grown


def test_outside_runs_join_the_comparison_of_the_engines(client: Client) -> None:
    sweep = build_sweep()
    for depth, score in ((2, 0.8), (3, 0.9), (None, 0.7)):
        build_outside_run(
            Status.FINISHED,
            sweep=sweep,
            depth=depth,
            group=f"group {depth}",
            headline="val_accuracy",
            summary={"val_accuracy": score},
            score=score,
        )
    build_finished_run(sweep)
    text = page(client, f"{sweep.project.get_absolute_url()}compare/?color=depth")
    assert "depth not said" in text
    assert "depth 3" in text
    page(client, f"{sweep.project.get_absolute_url()}compare/?facet=learning_rate")
