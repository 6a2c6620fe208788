"""Lines that programs outside add to the log of their runs."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import LogLine, Status
from tests.runs.builders import build_running_run
from tests.runs.outside import Program, build_outside_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program()


def test_lines_are_kept_in_their_order(program: Program) -> None:
    run = program.begin()
    first = {"lines": [{"text": "data loaded"}, {"text": "no GPU", "level": "warning", "step": 3}]}
    assert program.post(f"/{run.pk}/log-lines", first) == {"stop": False}
    program.post(f"/{run.pk}/log-lines", {"lines": [{"text": "done", "level": "error"}]})
    rows = LogLine.objects.order_by("number").values_list("number", "level", "step", "text")
    assert list(rows) == [
        (0, "info", None, "data loaded"),
        (1, "warning", 3, "no GPU"),
        (2, "error", None, "done"),
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "1 to 100 lines, got 0"),
        ({"lines": "x"}, "expected lines, a list"),
        ({"lines": [{"text": "x"}] * 101}, "got 101"),
        ({"lines": ["x"]}, "lines[0]: expected a table with text"),
        ({"lines": [{"text": "x"}, {"text": " "}]}, "lines[1]: expected a table with text"),
        ({"lines": [{"text": "x", "level": "loud"}]}, "expected level info, warning, error, got 'loud'"),
        ({"lines": [{"text": "x", "level": []}]}, "expected level info, warning, error"),
        ({"lines": [{"text": "x", "step": -1}]}, "expected step, a whole number from 0"),
        ({"lines": [{"text": "x", "step": True}]}, "expected step, a whole number from 0"),
        ({"lines": [{"text": "x", "colour": "red"}]}, "colour"),
    ],
)
def test_wrong_lines_are_refused_in_words_and_none_is_kept(
    program: Program, body: dict[str, Any], words: str
) -> None:
    run = program.begin()
    assert words in str(program.post(f"/{run.pk}/log-lines", body, 422))
    assert not LogLine.objects.exists()


def test_only_a_run_of_a_program_that_goes_on_takes_lines(program: Program) -> None:
    body = {"lines": [{"text": "x"}]}
    for run in (build_running_run(), build_outside_run(Status.FINISHED)):
        program.post(f"/{run.pk}/log-lines", body, 409)
    assert not LogLine.objects.exists()
