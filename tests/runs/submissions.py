"""Submissions for tests: a good one, and a table of bad ones that every way in must refuse alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runs.submitted.networks import Limits
from runs.submitted.specification import Specification, parse

LIMITS = Limits(runs=1000, steps=10_000_000)


def build_submission(**changes: Any) -> dict[str, Any]:
    """Describe a good submission of one run; tables among the changes are laid over its tables."""
    good: dict[str, Any] = {
        "project": "Iris",
        "name": "One run",
        "data": {"dataset": "iris"},
        "training": {"steps": 5, "depth": 1, "width": 4, "activation": "relu"},
        "grid": {},
        "seeds": 1,
    }
    for key, value in changes.items():
        old = good.get(key)
        good[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return good


def parsed(**changes: Any) -> Specification:
    """Parse a good submission, with changes, under the product's limits."""
    return parse(build_submission(**changes), csv_folder=Path("/nowhere"), limits=LIMITS)


@dataclass(frozen=True)
class Bad:
    """A submission that is refused.

    Args:
        messages: by field, a part of the message that stands beside it.
        typed: whether a person could type it into the form.
    """

    messages: Mapping[str, str]
    changes: Mapping[str, Any] = field(default_factory=dict)
    typed: bool = True

    @property
    def mapping(self) -> dict[str, Any]:
        return build_submission(**self.changes)


def _training(field: str, value: object, message: str, **others: Any) -> Bad:
    return Bad({field: message}, {"training": {field: value, **others}})


def _data(field: str, value: object, message: str) -> Bad:
    return Bad({field: message}, {"data": {field: value}})


BAD: dict[str, Bad] = {
    "unknown activation": _training("activation", "rleu", "got 'rleu'; did you mean relu?"),
    "no units": _training("width", 0, "from 1 to 65,536, got 0"),
    "ten million units": _training("width", 10_000_000, "from 1 to 65,536, got 10,000,000"),
    "units in words": _training("width", "many", "expected a whole number, got 'many'"),
    "depth below zero": _training("depth", -1, "from 0 to 64, got -1"),
    "a billion layers": _training("depth", 10**9, "from 0 to 64, got 1000000000"),
    "learning rate NaN": _training("learning_rate", math.nan, "above 0, got nan; it must be finite"),
    "learning rate infinite": _training("learning_rate", math.inf, "above 0, got inf; it must be finite"),
    "learning rate zero": _training("learning_rate", 0, "above 0, got 0"),
    "everything dropped": _training("dropout", 1, "below 1, got 1"),
    "unknown optimizer": _training("optimizer", "adm", "did you mean adam?"),
    "unknown initializer": _training("initializer", "he_norml", "did you mean he_normal?"),
    "half a batch": _training("batch_size", 2.5, "expected a whole number, got 2.5"),
    "batch larger than the rows": _training("batch_size", 121, "at most the 120 training rows, got 121"),
    "no batch": _training("batch_size", 0, "got 0"),
    "steps and epochs": _training("steps", 5, "got 3 epochs and 5 steps; drop one", epochs=3),
    "too many steps": _training("steps", 10_000_001, "at most 10,000,000 steps a run, got 10,000,001"),
    "too many epochs": Bad(
        {"epochs": "at most 10,000,000 steps a run, got"},
        {"training": {"depth": 1, "epochs": 9_000_000, "steps": None}},
        typed=False,
    ),
    "no clipping but a bound": _training("clip_norm", -1, "above 0, got -1"),
    "penalty below zero": _training("l2", -0.1, "of at least 0, got -0.1"),
    "a huge network": _training("width", 60_000, "at most 50,000,000 parameters", depth=20),
    "layers in two ways": Bad(
        {"hidden_units": "expected depth and width, or hidden_units, got both"},
        {"training": {"hidden_units": [8, 8]}},
    ),
    "unknown hyperparameter": Bad(
        {"lerning_rate": "did you mean learning_rate?"}, {"training": {"lerning_rate": 0.1}}, typed=False
    ),
    "seed among the settings": Bad({"seed": "stand in 'seeds'"}, {"training": {"seed": 3}}, typed=False),
    "no seeds": Bad({"seeds": "expected 1 to 1000 seeds, got 0"}, {"seeds": 0}),
    "seeds below zero": Bad({"seeds": "expected 1 to 1000 seeds, got -1"}, {"seeds": -1}),
    "seeds in words": Bad({"seeds": "or a list of 1 to 1000, got 'three'"}, {"seeds": "three"}),
    "an empty list of seeds": Bad({"seeds": "got []"}, {"seeds": []}, typed=False),
    "a seed below zero": Bad({"seeds": "expected seeds from 0 to"}, {"seeds": [0, -1]}, typed=False),
    "a seed no database holds": Bad({"seeds": "expected seeds from 0 to"}, {"seeds": [2**63]}, typed=False),
    "a seed in words": Bad({"seeds": "expected whole numbers, got 'a'"}, {"seeds": [1, "a"]}, typed=False),
    "true as seeds": Bad({"seeds": "got True"}, {"seeds": True}, typed=False),
    "an empty axis": Bad(
        {"depth": "a list of at least one value to try, got []"}, {"grid": {"depth": []}}, typed=False
    ),
    "an axis that is one word": Bad(
        {"activation": "a list of at least one value to try, got 'relu'"},
        {"grid": {"activation": "relu"}},
        typed=False,
    ),
    "an unknown axis": Bad(
        {"learning_rat": "did you mean learning_rate?"}, {"grid": {"learning_rat": [1, 2]}}, typed=False
    ),
    "a bad value among good ones": Bad(
        {"learning_rate": "above 0, got 0"}, {"grid": {"learning_rate": [0.1, 0, 0.01]}}
    ),
    "a million runs": Bad(
        {"grid": "at most 1,000 runs, got 1,000,000 (1000 learning_rate x 1000 l2 x 1 seeds)"},
        {"grid": {"learning_rate": [0.1] * 1000, "l2": [0.0] * 1000}},
    ),
    "unknown dataset": _data("dataset", "irs", "unknown dataset 'irs'; choose among digits"),
    "no dataset": Bad({"dataset": "1 to 200 characters as dataset, got ''"}, {"data": {"dataset": ""}}),
    "unknown recipe": _data("recipe", "lab9", "among default, raw, min-max, got 'lab9'"),
    "a CSV that is not there": _data("dataset", "none.csv", "no file 'none.csv'"),
    "a path that climbs": _data("dataset", "../x.csv", "expected a plain file name"),
    "a path from the root": _data("dataset", "/etc/passwd.csv", "expected a plain file name"),
    "a target that is not ours to choose": _data("target", "species", "for CSV datasets"),
    "a share above the half": _data("validation_share", 0.9, "between 0.05 and 0.5, got 0.9"),
    "a share in words": _data("validation_share", "half", "got 'half'"),
    "a split seed below zero": _data("split_seed", -1, "got -1"),
    "unknown data field": Bad(
        {"datset": "did you mean 'dataset'?"}, {"data": {"datset": "iris"}}, typed=False
    ),
    "unknown key": Bad({"sedes": "unknown key 'sedes'; known are"}, {"sedes": 3}, typed=False),
    "text for a table of data": Bad(
        {"data": "expected a table of settings, got 'iris'"}, {"data": "iris"}, typed=False
    ),
    "text for a table of settings": Bad(
        {"training": "expected a table of settings, got 'relu'"}, {"training": "relu"}, typed=False
    ),
    "a list for a grid": Bad({"grid": "expected a table of settings, got [1]"}, {"grid": [1]}, typed=False),
    "an empty name": Bad({"name": "1 to 100 printable characters, got ''"}, {"name": ""}),
    "a name of blanks": Bad({"name": "printable characters"}, {"name": " \t "}, typed=False),
    "a long name": Bad({"name": "at most 100 characters, got 101"}, {"name": "n" * 101}),
    "an unprintable name": Bad({"name": "printable characters, got 'a\\x00b'"}, {"name": "a\x00b"}),
    "a number for a name": Bad({"name": "printable characters, got 3"}, {"name": 3}, typed=False),
    "no project": Bad({"project": "printable characters, got None"}, {"project": None}, typed=False),
    "a project without letters": Bad({"project": "some letters or digits, got '!!!'"}, {"project": "!!!"}),
    "several faults": Bad(
        {
            "name": "printable",
            "seeds": "got 0",
            "recipe": "got 'lab9'",
            "validation_share": "got 9",
            "activation": "did you mean relu?",
            "width": "got 0",
            "learning_rate": "got nan",
        },
        {
            "name": "",
            "seeds": 0,
            "data": {"recipe": "lab9", "validation_share": 9},
            "training": {"activation": "rleu", "width": 0, "learning_rate": math.nan},
        },
    ),
}
TYPED = {name: bad for name, bad in BAD.items() if bad.typed}


def as_typed(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Write a submission into the form's fields, as a person would."""
    typed = {"project": mapping["project"], "name": mapping["name"], "seeds": str(mapping["seeds"])}
    for name, value in {**mapping["data"], **mapping["training"], **mapping["grid"]}.items():
        values = value if isinstance(value, list) else [value]
        boxes = name in {"activation", "optimizer"}
        typed[name] = values if boxes else ", ".join(str(one) for one in values)
    return typed
