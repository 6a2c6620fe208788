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


def test_the_file_is_laid_out_for_people_in_one_way() -> None:
    assert json.dumps(json.loads(TEXT), sort_keys=True, indent=1, ensure_ascii=False) + "\n" == TEXT


def test_the_canonical_form_has_sorted_keys_and_no_spaces() -> None:
    assert canonical({"b": {"d": 0.5, "c": "é"}, "a": 1}) == '{"a":1,"b":{"c":"é","d":0.5}}'


def test_every_check_has_limits_for_its_machine_and_a_rank() -> None:
    ids = [check.id for check in CHECKS]
    assert ids == [check for check in RANKS if check in ids]
    for check in CHECKS:
        assert {"n_open", "m", "n_clear"} <= set(THRESHOLDS.checks[check.id])


def test_thresholds_cannot_be_changed_in_passing() -> None:
    with pytest.raises(TypeError):
        THRESHOLDS.checks["vanishing"]["open"] = 1.0  # type: ignore[index]


def test_causes_come_before_their_symptoms() -> None:
    assert causes_of("nonfinite") == ()
    assert causes_of("saturated")[-3:] == ("dead_layer", "vanishing", "forward_collapse")


def test_causes_of_data_and_config_stand_side_by_side() -> None:
    assert causes_of("unscaled_data") == ("nonfinite",)
    assert "unscaled_data" in causes_of("vanishing")


@pytest.mark.parametrize("check", ["leak", "overfitting", "dropout"])
def test_an_independent_check_explains_nothing_and_waits_for_nothing(check: str) -> None:
    assert causes_of(check) == ()
    assert all(check not in causes_of(other) for other in RANKS)
