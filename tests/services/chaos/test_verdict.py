"""The judge of the storms sees what must not be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from tests.services.chaos.records import Record, Result
from tests.services.chaos.verdict import faults

BEGAN = datetime(2030, 1, 1, tzinfo=UTC)
FIRST, SECOND = UUID(int=1), UUID(int=2)
STEPS = np.arange(1, 4).tobytes()
VALUES = np.array([0.5, np.nan, 0.25]).tobytes()


def attempt(number: int, outcome: str, *, began: float, ended: float | None) -> dict[str, Any]:
    times = {
        "started_at": BEGAN + timedelta(seconds=began),
        "ended_at": None if ended is None else BEGAN + timedelta(seconds=ended),
    }
    return {"number": number, "outcome": outcome, **times}


RESULT = Result(
    "finished", "end", "", 3, 0.25, {"loss": 0.25}, {("loss", None): (STEPS, VALUES)}, {("loss", None): (3,)}
)
LOST, FINISHED = attempt(1, "lost", began=0, ended=30), attempt(2, "finished", began=31, ended=40)
RIGHT = Record(7, RESULT, [LOST, FINISHED], [(FIRST, FIRST), (SECOND, SECOND), (SECOND, SECOND)])
OTHER_VALUE = np.array([0.5, np.nan, 0.25 + 2**-54]).tobytes()


def series(steps: bytes, values: bytes) -> dict[str, Any]:
    return {"result": replace(RESULT, series={("loss", None): (steps, values)})}


def test_a_run_that_ended_right_has_no_faults() -> None:
    assert list(faults([RIGHT], [replace(RIGHT, run_id=1, attempts=[], writes=[])])) == []


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a last bit": (series(STEPS, OTHER_VALUE), "1 of 3 values differ, first at step 3"),
    "a point twice": (series(STEPS + STEPS[-8:], VALUES + VALUES[-8:]), "4 points, expected 3"),
    "no series": ({"result": replace(RESULT, series={})}, "is missing"),
    "a score": ({"result": replace(RESULT, score=0.3)}, "score: expected 0.25, got 0.3"),
    "a summary": ({"result": replace(RESULT, summary={})}, "summary of loss"),
    "a status": ({"result": replace(RESULT, status="running")}, "status: expected 'finished'"),
    "an open attempt": (
        {"attempts": [LOST, attempt(2, "", began=31, ended=None)]},
        "attempt 2 has not ended",
    ),
    "two attempts at once": (
        {"attempts": [LOST, attempt(2, "finished", began=29, ended=40)]},
        "attempts 1 and 2 overlap",
    ),
    "an attempt after the end": (
        {"attempts": [attempt(1, "finished", began=0, ended=30), FINISHED]},
        "there was another attempt after",
    ),
    "no end": ({"attempts": [LOST]}, "no attempt finished"),
    "a stale writer": ({"writes": [(FIRST, FIRST), (FIRST, SECOND)]}, "from an attempt whose run it was not"),
    "writers in turns": ({"writes": [(FIRST, FIRST), (SECOND, SECOND), (FIRST, FIRST)]}, "wrote in 3 turns"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG.keys())
def test_whatever_is_wrong_is_told(change: dict[str, Any], words: str) -> None:
    (fault,) = faults([replace(RIGHT, **change)], [RIGHT])
    assert fault.startswith("run 7: ")
    assert words in fault


def test_a_run_that_is_missing_is_told() -> None:
    assert list(faults([], [RIGHT])) == ["expected 1 runs, got 0"]
