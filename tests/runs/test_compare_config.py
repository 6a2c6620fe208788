"""Configurations side by side: only what differs, marked, for the engine's runs and for others."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from runs.models import Source, Sweep
from runs.pages.comparing.config import compare_configs
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user("stop_run"))
    return client


def build_rates(count: int = 2, seeds: int = 1) -> Sweep:
    sweep = builders.build_sweep()
    for place in range(count):
        for seed in range(seeds):
            builders.build_finished_run(
                sweep, score=0.9 - 0.01 * place, training={"learning_rate": 0.1 / (place + 1), "seed": seed}
            )
    return sweep


def open_tab(reader: Client, sweep: Sweep, **parameters: str) -> Any:
    answer = reader.get(f"/p/{sweep.project.slug}/compare/", {"tab": "config", **parameters})
    assert answer.status_code == 200
    return answer


def test_only_what_differs_is_shown_and_the_rest_is_counted(reader: Client) -> None:
    answer = open_tab(reader, build_rates(seeds=2))
    [row] = answer.context["differing"]
    assert (row.path, [cell.value for cell in row.cells]) == ("training.learning_rate", [0.1, 0.05])
    assert [cell.differs for cell in row.cells] == [False, True]
    text = answer.content.decode()
    assert f"Everything else is equal: {len(answer.context['equal'])} settings" in text
    assert 'aria-label="differs">●</span> 0.05</strong>' in text
    assert "training.seed" not in text


def test_runs_of_one_group_are_compared_with_their_seeds(reader: Client) -> None:
    sweep = build_rates(1, seeds=3)
    answer = open_tab(reader, sweep)
    assert answer.context["of"] == "runs"
    [row] = answer.context["differing"]
    assert (row.path, [cell.value for cell in row.cells]) == ("training.seed", [0, 1, 2])
    assert "nothing differs" in open_tab(reader, sweep, of="groups").content.decode()


def test_at_most_ten_columns_are_shown_the_best_first(reader: Client) -> None:
    answer = open_tab(reader, build_rates(12))
    assert len(answer.context["columns"]) == 10
    assert "The first 10 of 12 groups are shown." in answer.content.decode()
    assert answer.context["differing"][0].cells[0].value == 0.1


def test_runs_of_other_programs_are_compared_by_whatever_they_told(reader: Client) -> None:
    sweep = builders.build_sweep()
    for rate, extra in ((0.1, {}), (0.2, {"model": {"heads": 4, "tags": ["<b>"]}})):
        config = {"lr": rate, "fixed": True, **extra}
        builders.build_finished_run(
            sweep, source=Source.OUTSIDE, group=f"g{rate}", config=config, seed=None, learning_rate=rate
        )
    answer = open_tab(reader, sweep)
    rows = {row.path: [cell.value for cell in row.cells] for row in answer.context["differing"]}
    assert rows["model.heads"] == ["not set", 4] or rows["model.heads"] == [4, "not set"]
    assert set(rows) == {"lr", "model.heads", "model.tags"}
    assert answer.context["equal"] == [("fixed", True)]
    assert "<b>" not in answer.content.decode()


def test_equal_numbers_are_one_setting_and_a_yes_is_not_a_one() -> None:
    settings = compare_configs(
        [{"a": 1, "b": 1, "c": [1, 2]}, {"a": 1.0, "b": True, "c": [1, 2]}], with_seed=True
    )
    assert {setting.path: setting.differs for setting in settings} == {"a": False, "b": True, "c": False}


def test_an_unknown_kind_of_column_is_a_warning(reader: Client) -> None:
    answer = open_tab(reader, build_rates(), of="<b>")
    assert "of=&lt;b&gt; is not known" in answer.content.decode()
