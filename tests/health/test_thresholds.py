"""The threshold file and its hash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnlab.health import thresholds
from nnlab.health.checks.catalogue import CHECKS
from nnlab.health.suppression import RANKS, causes_of
from nnlab.health.thresholds import THRESHOLDS, canonical, parse

TEXT = Path(thresholds.__file__).with_name("thresholds.json").read_text(encoding="utf-8")


def test_the_hash_does_not_depend_on_layout() -> None:
    shuffled = json.dumps(dict(reversed(json.loads(TEXT).items())), indent=4)
    assert parse(shuffled).hash == THRESHOLDS.hash


def test_the_hash_changes_with_any_number() -> None:
    document = json.loads(TEXT)
    document["checks"]["vanishing"]["open"] *= 2
    assert parse(json.dumps(document)).hash != THRESHOLDS.hash


def test_the_hash_is_the_first_12_hex_digits_of_sha_256() -> None:
    assert parse('{"version": 1, "progress": {}, "machine": {}, "checks": {}}').hash == "e4dbd39c72ad"


def test_the_file_is_in_canonical_form() -> None:
    assert canonical(json.loads(TEXT)) + "\n" == TEXT


def test_every_check_has_limits_for_its_machine_and_a_rank() -> None:
    assert [check.id for check in CHECKS] == list(RANKS)
    for check in CHECKS:
        assert {"n_open", "m", "n_clear"} <= set(THRESHOLDS.checks[check.id])


def test_thresholds_cannot_be_changed_in_passing() -> None:
    with pytest.raises(TypeError):
        THRESHOLDS.checks["vanishing"]["open"] = 1.0  # type: ignore[index]


def test_causes_come_before_their_symptoms() -> None:
    assert causes_of("nonfinite") == ()
    assert causes_of("exploding") == ("nonfinite", "dead_layer", "vanishing")
