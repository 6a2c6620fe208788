"""Thresholds that a person gives: laid over the shipped ones, or refused with the place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nnlab.health.thresholds import SHIPPED, THRESHOLDS
from nnlab.health.tuning import ThresholdError, tuned


def test_what_is_not_given_stays_as_it_is_shipped() -> None:
    assert tuned("{}") == THRESHOLDS
    assert tuned(json.dumps(SHIPPED)).hash == THRESHOLDS.hash
    other = tuned('{"checks": {"vanishing": {"open": 0.5}}}')
    assert (other.checks["vanishing"]["open"], other.hash != THRESHOLDS.hash) == (0.5, True)
    assert other.checks["vanishing"]["clear"] == THRESHOLDS.checks["vanishing"]["clear"]
    assert other.checks["plateau"] == THRESHOLDS.checks["plateau"]
    assert THRESHOLDS.checks["vanishing"]["open"] != 0.5


def test_the_same_number_written_otherwise_gives_the_same_hash() -> None:
    shipped = THRESHOLDS.checks["vanishing"]["n_open"]
    assert tuned(json.dumps({"checks": {"vanishing": {"n_open": float(shipped)}}})).hash == THRESHOLDS.hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cheks": {}}, r"thresholds\.cheks: unknown; did you mean checks\?"),
        ({"checks": {"vanish": {}}}, r"checks\.vanish: unknown; did you mean vanishing\?"),
        ({"checks": {"vanishing": {"opne": 1}}}, r"vanishing\.opne: unknown; did you mean open\?"),
        ({"checks": {"vanishing": {"hash": 1}}}, r"unknown; known are clear, layer"),
        ({"checks": {"vanishing": 3}}, r"checks\.vanishing: expected an object, got 3"),
        ([], r"thresholds: expected an object, got \[\]"),
        ({"checks": {"vanishing": {"open": "1"}}}, r"expected a number from 0 to 1,000,000,000, got '1'"),
        ({"checks": {"vanishing": {"open": True}}}, r"got True"),
        ({"checks": {"vanishing": {"open": float("nan")}}}, r"got nan"),
        ({"checks": {"vanishing": {"open": float("inf")}}}, r"got inf"),
        ({"progress": {"fall": -1}}, r"progress\.fall: expected a number from 0 to 1,000,000,000, got -1"),
        ({"checks": {"plateau": {"m": 2.5}}}, r"plateau\.m: expected a whole number from 1 to 1000, got 2.5"),
        ({"checks": {"plateau": {"n_clear": 0}}}, r"n_clear: expected a whole number from 1 to 1000, got 0"),
        ({"checks": {"exploding": {"first": 0}}}, r"first: expected a whole number from 1 to 1000, got 0"),
        ({"checks": {"exploding": {"recent": 0.5}}}, r"recent: expected a whole number from 1 to 1000"),
        ({"checks": {"vanishing": {"layer": 0}}}, r"vanishing\.layer: expected a number above 0, got 0"),
        ({"checks": {"plateau": {"n_open": 6}}}, r"at most m, got 6 of 5; it would never open"),
        ({"checks": {"exploding": {"recent": 1e308}}}, r"exploding\.recent: expected a number from 0 to 1,"),
        ({"checks": {"exploding": {"recent": 10**400}}}, r"got 1000\d+\.\.\.0+$"),
        ({"checks": [{}] * 1000}, r"expected an object, got \[\{\}, .*, \.\.\.\]$"),
        ({"\ud800" * 100: 1}, r"thresholds\.(\\ud800){60}: unknown"),
        ({"version": 99}, r"version: expected \d+, got 99"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(changes: Any, message: str) -> None:
    with pytest.raises(ThresholdError, match=message):
        tuned(json.dumps(changes))


@pytest.mark.parametrize("text", ["vanishing = 3", "", "[" * 100_000, '{"checks":' * 10_000])
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ThresholdError, match="expected JSON"):
        tuned(text)
