"""Knobs: what counts as one, and what is said to have changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils.html import strip_tags

from nnlab.data.config import DataConfig
from nnlab.engine.config import TrainingConfig
from runs.models import Run, Source
from runs.reading.knobs import LAYERS, Change, changed_between, changes_between, knobs_of
from tests.runs import builders


def build_config(dataset: str = "digits", **training: Any) -> dict[str, Any]:
    return {
        "data": DataConfig(dataset=dataset).to_dict(),
        "training": TrainingConfig(**{"steps": 10, **training}).to_dict(),
    }


def changed(one: dict[str, Any], two: dict[str, Any], source: str = "engine") -> list[tuple[str, Any, Any]]:
    changes = changes_between(knobs_of(one, source), knobs_of(two, source))
    return [(change.knob, change.before, change.after) for change in changes]


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, Any, Any]]]] = {
    "a seed is no knob": ({"seed": 1}, {"seed": 2}, []),
    "depth": ({"hidden_units": (64,) * 2}, {"hidden_units": (64,) * 4}, [("depth", 2, 4)]),
    "width": ({"hidden_units": (64,) * 2}, {"hidden_units": (8,) * 2}, [("width", 64, 8)]),
    "depth and width": (
        {"hidden_units": (64,)},
        {"hidden_units": (8, 8)},
        [("depth", 1, 2), ("width", 64, 8)],
    ),
    "uneven layers are one knob": (
        {"hidden_units": (64, 64)},
        {"hidden_units": (64, 32, 8)},
        [(LAYERS, "64-64", "64-32-8")],
    ),
    "no layers are one knob": ({"hidden_units": ()}, {"hidden_units": (8, 8)}, [(LAYERS, "linear", "8-8")]),
    "what is set on one side only": ({}, {"clip_norm": 1.0}, [("clip_norm", None, 1.0)]),
    "several": (
        {"learning_rate": 0.1, "optimizer": "sgd"},
        {"learning_rate": 0.01, "optimizer": "adam"},
        [("learning_rate", 0.1, 0.01), ("optimizer", "sgd", "adam")],
    ),
    "the data's own": ({}, {"dataset": "iris"}, [("data.dataset", "digits", "iris")]),
}


@pytest.mark.parametrize(("one", "two", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_what_changed(one: dict[str, Any], two: dict[str, Any], expected: list[tuple[str, Any, Any]]) -> None:
    assert changed(build_config(**one), build_config(**two)) == expected
    back = [(knob, after, before) for knob, before, after in expected]
    assert changed(build_config(**two), build_config(**one)) == back


def test_every_parameter_of_a_program_outside_is_a_knob_but_its_seeds() -> None:
    one = {"model": {"blocks": 2, "seed": 1}, "seed": 3, "lr": 0.1}
    two = {"model": {"blocks": 3, "seed": 2}, "seed": 4, "lr": 0.1, "note": "new"}
    assert changed(one, two, Source.OUTSIDE) == [("model.blocks", 2, 3), ("note", None, "new")]


@pytest.mark.django_db
def test_the_head_line_says_what_differs_and_whether_seeds_do() -> None:
    one = builders.build_run(training={"hidden_units": (8, 8), "seed": 1}, name="first")
    two = builders.build_run(training={"hidden_units": (8,) * 4, "seed": 1, "learning_rate": 0.5})
    three = builders.build_run(training={"hidden_units": (8, 8), "seed": 2})
    assert said(one, two).startswith(
        "Differs in 2 knobs from first: depth 2 → 4; also changed: learning rate 0.01 → 0.5."
    )
    assert said(one, one) == "The same configuration as first, and the same seed."
    assert said(one, three) == "The same configuration as first."
    outside = builders.build_run(source=Source.OUTSIDE)
    assert changed_between(one, outside) is None


def said(other: Run, run: Run) -> str:
    found = changed_between(other, run)
    assert found is not None
    return strip_tags(render_to_string("runs/_changed.html", {"changed": found})).strip()


def test_a_knob_is_written_as_people_read_it() -> None:
    assert Change("learning_rate", 1, 2).title == "learning rate"
    assert Change("data.split_seed", 1, 2).title == "data: split seed"
