"""The API's account of what changed: what the page shows, by the same filters."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.runs import builders

pytestmark = pytest.mark.django_db


def get(path: str, status: int = 200) -> Any:
    client = Client()
    client.force_login(builders.build_user())
    answer = client.get(f"/api/projects/{path}")
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture
def slug() -> str:
    sweep = builders.build_sweep(builders.build_project(slug="p"))
    for depth, scores in {1: (0.5, 0.6, 0.7), 2: (0.8, 0.9, 1.0)}.items():
        for seed, score in enumerate(scores):
            training = {"hidden_units": (8,) * depth, "seed": seed}
            builders.build_finished_run(sweep, score=score, training=training)
    builders.build_finished_run(
        sweep,
        score=None,
        stop_reason="diverged",
        training={"hidden_units": (8,), "learning_rate": 0.5, "dropout": 0.5},
    )
    return "p"


def test_controlled_and_confounded_pairs_are_told(slug: str) -> None:
    told = get(f"{slug}/changes")
    assert (told["dataset"], told["metric"], told["configurations"]) == ("digits", "val_accuracy", 3)
    [step] = told["steps"]
    assert step["changes"] == [{"knob": "depth", "before": 1, "after": 2}]
    assert step["difference"] == pytest.approx(0.3)
    assert sorted(step["seeds"]) == [0, 1, 2]
    assert step["before"]["scores"] == {"0": 0.5, "1": 0.6, "2": 0.7}
    assert (told["total"], told["knobs"]) == (1, {"depth": 1})
    assert told["open"] == len(told["confounded"]) == 1
    assert {change["knob"] for change in told["confounded"][0]["changes"]} >= {"dropout", "learning_rate"}
    assert told["confounded"][0]["p_value"] is None


def test_filters_are_those_of_the_page(slug: str) -> None:
    assert get(f"{slug}/changes?depth=1")["steps"] == []
    assert get(f"{slug}/changes?knob=dropout")["steps"] == []
    assert get(f"{slug}/changes?first=1")["steps"] == []
    assert get(f"{slug}/changes?metric=val_rmse")["configurations"] == 0


def test_what_is_not_there_or_means_nothing_is_refused(slug: str) -> None:
    assert "no project" in str(get("nothing/changes", 404))
    assert "not a field" in str(get(f"{slug}/changes?strange=1", 422))
    get(f"{slug}/changes?limit=501", 422)
