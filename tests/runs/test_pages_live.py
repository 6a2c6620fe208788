"""Live updates: whoever asks with the last answer's cursor gets each point exactly once."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from runs.models import Ledger, Run
from runs.pages.run import news
from runs.pages.run.charts import RunView
from runs.pages.run.news import Cursor
from tests.runs import builders

pytestmark = pytest.mark.django_db

VIEW = RunView("val_accuracy", "", ["hidden 1", "output"], "gradient_rms", (), is_over=False)


class Reader:
    """A browser, as far as the lines of the loss chart go."""

    def __init__(self) -> None:
        self.lines: list[list[float]] = [[], []]
        self.values: list[list[float]] = [[], []]
        self.cursor = ""

    def ask(self, run: Run) -> dict[str, Any]:
        answer = news.news(run, VIEW, Cursor.parse(self.cursor))
        if "loss" in answer.get("replace", {}):
            traces = answer["replace"]["loss"]["data"]
            self.lines = [list(_plain(trace["x"])) for trace in traces[:2]] or [[], []]
            self.values = [list(_plain(trace["y"])) for trace in traces[:2]] or [[], []]
        for index, line in enumerate(answer.get("charts", {}).get("loss", {"append": []})["append"]):
            if line:
                self.lines[index] += line[0]
                self.values[index] += line[1]
        self.cursor = answer["next"]
        return answer


def _plain(numbers: Any) -> list[float]:
    if isinstance(numbers, dict):
        return list(np.frombuffer(base64.b64decode(numbers["bdata"]), dtype=f"<{numbers['dtype']}"))
    return [np.nan if value is None else value for value in numbers]


def test_points_arrive_once_and_in_order_however_the_asking_falls() -> None:
    rng = np.random.default_rng(3)
    run = builders.build_running_run()
    train = builders.build_series(run, "train_loss", [2.0])
    validation = builders.build_series(run, "val_loss", [2.1], steps=[0])
    gradients = [builders.build_series(run, "gradient_rms", [0.1], layer=layer) for layer in range(2)]
    steady, absent = Reader(), Reader()
    expected = [2.0]
    for _ in range(30):
        values = rng.random(int(rng.integers(1, 8))).tolist()
        builders.extend_series(train, values)
        expected += values
        if rng.random() < 0.4:
            builders.extend_series(validation, [1.0], steps=[train.last_step or 0])
            for series in gradients:
                builders.extend_series(series, [0.2], steps=[train.last_step or 0])
        steady.ask(run)
        if rng.random() < 0.2:
            absent.ask(run)
    absent.ask(run)
    for reader in (steady, absent):
        assert reader.lines[0] == list(range(1, len(expected) + 1))
        np.testing.assert_allclose(reader.values[0], expected)
        assert reader.lines[1] == sorted(set(reader.lines[1]))
        assert reader.lines[1][-1] == validation.last_step
    assert "charts" not in steady.ask(run) or not steady.ask(run)["charts"]


def test_an_evaluation_that_is_stored_late_is_not_lost() -> None:
    run = builders.build_running_run()
    builders.build_series(run, "train_loss", [3.0] * 20)
    validation = builders.build_series(run, "val_loss", [3.0], steps=[0])
    reader = Reader()
    reader.ask(run)
    builders.extend_series(validation, [2.5], steps=[10])  # 10 < 20, the last step sent
    reader.ask(run)
    assert reader.lines[1] == [0, 10]


def test_a_new_attempt_starts_the_lines_again() -> None:
    run = builders.build_running_run()
    builders.build_series(run, "train_loss", [3.0, 2.0, 1.0])
    reader = Reader()
    reader.ask(run)
    run.series.all().delete()
    run.chunks.all().delete()
    run.attempt = 2
    builders.build_series(run, "train_loss", [3.5])
    answer = reader.ask(run)
    assert "replace" in answer
    assert (reader.lines[0], reader.values[0]) == ([1], [3.5])


def test_a_point_that_is_not_finite_redraws_and_never_reaches_json_as_nan(client: Client) -> None:
    run = builders.build_running_run()
    series = builders.build_series(run, "train_loss", [3.0])
    client.force_login(builders.build_user())
    address = reverse("run-live", args=[run.pk])
    cursor = client.get(address).json()["next"]
    builders.extend_series(series, [np.nan, np.inf])
    answer = client.get(address, {"after": cursor})
    assert "loss" in answer.json()["replace"]
    assert "NaN" not in answer.content.decode().replace("⚠ NaN", "").replace("NaN from step", "").replace(
        ": NaN", ""
    )


def test_a_long_absence_is_answered_by_windowed_figures() -> None:
    run = builders.build_running_run()
    series = builders.build_series(run, "train_loss", [3.0])
    reader = Reader()
    reader.ask(run)
    builders.extend_series(series, np.linspace(3, 1, news.MAX_APPENDED + 1).tolist())
    answer = reader.ask(run)
    assert "replace" in answer
    assert len(reader.lines[0]) <= 1001
    assert reader.lines[0][-1] == news.MAX_APPENDED + 2


@pytest.mark.parametrize(
    "text",
    ["", "5", "abc", "1_2", "1_2_3.x", "1_0." + "9" * 40, "1_0.-" + "9" * 40, "___", "1_1.2.3", "\x00"],
)
def test_a_cursor_that_is_none_gives_everything(client: Client, text: str) -> None:
    run = builders.build_running_run()
    builders.build_series(run, "train_loss", [3.0])
    client.force_login(builders.build_user())
    answer = client.get(reverse("run-live", args=[run.pk]), {"after": text, "measure": "nonsense"})
    assert set(answer.json()["replace"]) == {"loss", "headline", "gradients", "health"}


def test_a_cursor_survives_being_written_and_read() -> None:
    cursor = Cursor(2, {0: 120, 5: -3})
    assert Cursor.parse(str(cursor)) == cursor


def test_the_page_s_cursor_continues_where_the_page_ends(client: Client) -> None:
    run = builders.build_running_run()
    series = builders.build_series(run, "train_loss", [3.0, 2.0])
    client.force_login(builders.build_user())
    cursor = client.get(run.get_absolute_url()).context["cursor"]
    builders.extend_series(series, [1.5])
    answer = client.get(reverse("run-live", args=[run.pk]), {"after": str(cursor)}).json()
    assert answer["charts"] == {"loss": {"append": [[[3], [1.5]], None]}}
    assert answer["over"] is False
    assert "running" in answer["fragments"]["run-state"]


def test_the_last_answer_says_that_the_run_is_over(client: Client) -> None:
    run = builders.build_finished_run()
    client.force_login(builders.build_user())
    assert client.get(reverse("run-live", args=[run.pk])).json()["over"] is True


def test_a_quiet_moment_costs_few_queries(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run = builders.build_running_run()
    builders.build_series(run, "train_loss", [3.0])
    client.force_login(builders.build_user())
    address = reverse("run-live", args=[run.pk])
    cursor = client.get(address).json()["next"]
    with django_assert_max_num_queries(9):  # session, user, 2 rights, run, alerts, series, journal, attempts
        client.get(address, {"after": cursor})


def test_the_last_answer_brings_the_whole_charts_and_their_sentences(client: Client) -> None:
    run = builders.build_finished_run()
    builders.build_series(run, "train_loss", [3.0, 1.0])
    client.force_login(builders.build_user())
    cursor = client.get(run.get_absolute_url()).context["cursor"]
    answer = client.get(reverse("run-live", args=[run.pk]), {"after": str(cursor)}).json()
    assert answer["replace"]["loss"]["data"]
    assert "Training loss fell from 3 to 1" in answer["fragments"]["loss-summary"]


def test_a_waiting_run_has_a_place_for_each_chart(client: Client) -> None:
    run = builders.build_run(info={}, headline="")
    client.force_login(builders.build_user())
    text = client.get(run.get_absolute_url()).content.decode()
    assert text.count("data-chart-plot") == 4


def test_the_first_points_of_a_line_bring_its_whole_figure() -> None:
    run = builders.build_running_run()
    reader = Reader()
    reader.ask(run)
    builders.build_series(run, "train_loss", [3.0, 2.0])
    assert "loss" in reader.ask(run)["replace"]
    assert reader.lines[0] == [1, 2]


def test_a_run_says_that_points_had_to_be_left_out(client: Client) -> None:
    client.force_login(builders.build_user())
    run = builders.build_finished_run()
    builders.build_series(run, "train_loss", [1.0])
    assert "left out" not in client.get(run.get_absolute_url()).text
    Ledger.objects.update(thinned=3)
    assert "of the long series, one in 8 was kept" in client.get(run.get_absolute_url()).text
