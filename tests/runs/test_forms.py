"""The form: what is typed becomes a plain mapping, and a run can be put back into it."""

from __future__ import annotations

from typing import Any

import pytest

from nnlab.engine.config import ACTIVATIONS, OPTIMIZERS, TrainingConfig
from runs.forms.submission import FIELDSETS, SweepForm
from runs.models import Run
from runs.submission import parse, submit
from tests.runs.builders import build_project
from tests.runs.submissions import as_typed, build_submission

pytestmark = pytest.mark.django_db

TYPED = as_typed(build_submission())


def valid(**typed: Any) -> SweepForm:
    form = SweepForm({**TYPED, **typed})
    assert form.is_valid(), form.errors
    return form


def canonical(**typed: Any) -> dict[str, Any]:
    form = valid(**typed)
    assert form.specification is not None
    return form.specification.canonical


def test_one_value_is_fixed_and_several_are_an_axis() -> None:
    spec = canonical(depth="1, 2,3", dropout="0, .25", learning_rate="1e-3", activation=["relu", "tanh"])
    assert spec["grid"] == {"depth": [1, 2, 3], "dropout": [0, 0.25], "activation": ["relu", "tanh"]}
    assert spec["training"]["learning_rate"] == 0.001
    assert spec["training"]["width"] == 4


def test_empty_fields_are_left_to_their_defaults() -> None:
    spec = canonical(
        learning_rate="",
        dropout=" ",
        optimizer=[],
        l1=",",
        clip_norm="",
        initializer="",
        recipe="",
        target="",
    )
    assert spec["training"].keys() == {"steps", "depth", "width", "activation"}
    assert spec["data"]["recipe"] == "default"


def test_exact_layers_are_one_network_and_more_after_a_semicolon() -> None:
    one = canonical(depth="", width="", hidden_units="100, 50, 20")
    assert one["training"]["hidden_units"] == [100, 50, 20]
    two = canonical(depth="", width="", hidden_units="8, 4; 16;")
    assert two["grid"] == {"hidden_units": [[8, 4], [16]]}


def test_the_seeds_are_a_number_and_count_up_from_the_first() -> None:
    assert canonical(seeds="3")["seeds"] == [0, 1, 2]
    assert canonical(seeds="2", first_seed="5")["seeds"] == [5, 6]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"first_seed": "-1"}, "seeds: expected seeds from 0"),
        ({"first_seed": "x"}, "seeds: expected whole numbers, got &#x27;x&#x27;"),
        ({"batch_norm": "maybe"}, "batch_norm: expected true or false, got &#x27;maybe&#x27;"),
        ({"schedule": "cosin"}, "did you mean cosine?"),
        ({"warmup_steps": "-1"}, "warmup_steps: expected a whole number from 0"),
        (
            {"class_weights": "yes", "dataset": "diabetes"},
            "class_weights: expected false for a regression task",
        ),
        ({"shuffle": "maybe"}, "shuffle: expected true or false, got &#x27;maybe&#x27;"),
        ({"layer_dropouts": "0.1, 0.2"}, "dropout: expected one value, or 1 for the hidden layers, got 2"),
        (
            {"layer_activations": "relu, tanh", "activation": ["relu", "elu"]},
            "activation: expected several to try, or one for each layer; got both",
        ),
        (
            {"layer_initializers": "zeros"},
            "initializer: expected one value, or 2 for all layers, the output&#x27;s last, got 1",
        ),
        ({"layer_bias_initializers": "zeros, zeroes"}, "did you mean zeros?"),
    ],
)
def test_what_does_not_fit_together_is_refused(typed: dict[str, Any], message: str) -> None:
    form = SweepForm({**TYPED, "depth": "1", **typed})
    assert not form.is_valid()
    assert message in str(form.errors)


@pytest.mark.parametrize("field", ["layer_dropouts", "layer_activations", "layer_initializers"])
def test_what_is_wrong_with_the_values_of_layers_is_said_beside_them(field: str) -> None:
    form = SweepForm({**TYPED, "depth": "2", field: "0.1, nonsense, tanh, 4"})
    assert list(form.errors) == [field]


def test_the_form_as_it_is_first_shown_is_valid_but_for_its_names() -> None:
    blank = SweepForm()
    shown = {name: blank[name].value() for name in blank.fields}
    form = SweepForm({**shown, "project": "P", "name": "N"})
    assert form.is_valid(), form.errors
    assert form.specification is not None
    assert len(form.specification.runs) == 6


def test_every_field_stands_in_one_group() -> None:
    grouped = [name for _, names in FIELDSETS for name in names]
    assert sorted(grouped) == sorted(SweepForm().fields)
    assert [field.name for _, fields in SweepForm().fieldsets for field in fields] == grouped


def test_the_check_boxes_are_the_engines_own() -> None:
    form = SweepForm()
    assert [value for value, _ in form.fields["activation"].choices] == list(ACTIVATIONS)  # type: ignore[attr-defined]
    assert [value for value, _ in form.fields["optimizer"].choices] == list(OPTIMIZERS)  # type: ignore[attr-defined]


def test_known_names_are_suggested() -> None:
    project = build_project("Bees & wasps")
    found = SweepForm().suggestions
    assert project.name in found["project-suggestions"]
    assert "california_housing" in found["dataset-suggestions"]
    assert "lab6" in found["recipe-suggestions"]


def test_every_setting_of_the_engine_can_be_typed() -> None:
    renamed = {"seed": {"seeds", "first_seed"}}
    for field in TrainingConfig().to_dict():
        assert renamed.get(field, {field}) <= set(SweepForm().fields)


def test_a_run_from_before_a_setting_existed_can_still_be_cloned() -> None:
    run = stored()
    for field in ("batch_norm", "class_weights", "schedule"):
        del run.config["training"][field]
    filled = SweepForm(initial=SweepForm.initial_from(run))
    typed = {name: filled[name].value() for name in filled.fields}
    form = SweepForm({name: value for name, value in typed.items() if value is not None})
    assert form.is_valid(), form.errors
    assert form.specification is not None
    assert form.specification.runs[0].group == run.group


def stored(**changes: Any) -> Run:
    return submit(parse(build_submission(**changes)), None).runs.get()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training": {"depth": 3, "dropout": 0.2, "optimizer": "sgd", "l2": 1e-4, "clip_norm": 1.0}},
        {"training": {"depth": 0, "width": 4}},
        {"training": {"steps": None, "epochs": 4, "initializer": "he_normal"}},
        {"data": {"recipe": "raw", "validation_share": 0.3, "split_seed": 5}},
        {"data": {"recipe": "raw", "standardise_inputs": True, "drop_duplicates": True}},
        {
            "data": {"dataset": "circle", "rows": 300, "noise": 0.1},
            "training": {"output_activation": "sigmoid"},
        },
        {"training": {"momentum": 0.5, "clip_value": 2.0, "shuffle": False, "dtype": "float64"}},
        {"training": {"depth": 2, "activation": ["relu", "tanh"], "dropout": [0.0, 0.5]}},
        {"training": {"depth": 1, "initializer": ["he_normal", "zeros"], "bias_initializer": "ones"}},
        {"training": {"depth": 1, "bias_initializer": ["normal", "auto"]}},
        {
            "training": {
                "batch_norm": True,
                "class_weights": True,
                "validate_every": 50,
                "early_stopping_epochs": 3,
                "max_norm": 2.0,
            }
        },
        {"training": {"optimizer": "adamw", "weight_decay": 0.1, "clip_layer_norm": 0.5, "loss": "mse"}},
        {
            "training": {
                "schedule": "reduce_on_plateau",
                "warmup_steps": 2,
                "decay_rate": 0.3,
                "plateau_epochs": 2,
            }
        },
        {"training": {"schedule": "step", "decay_every": 7}},
        {"seeds": [7]},
    ],
)
def test_a_form_filled_from_a_run_submits_the_same_network(changes: dict[str, Any]) -> None:
    run = stored(**changes)
    filled = SweepForm(initial=SweepForm.initial_from(run))
    typed = {name: filled[name].value() for name in filled.fields}
    form = SweepForm({name: value for name, value in typed.items() if value is not None})
    assert form.is_valid(), form.errors
    assert form.specification is not None
    (planned,) = form.specification.runs
    assert planned.group == run.group
    assert planned.training.seed == run.seed
    assert form.specification.project == run.project.name


def test_what_a_run_left_at_its_default_is_left_empty_in_the_further_settings() -> None:
    initial = SweepForm.initial_from(stored(training={"decay_rate": 0.3}))
    assert initial["decay_rate"] == 0.3
    assert not {"weight_decay", "warmup_steps", "decay_every", "plateau_epochs"} & initial.keys()


def test_advice_changes_what_it_speaks_of_and_nothing_else() -> None:
    run = stored(training={"activation": "sigmoid"})
    initial = SweepForm.initial_from(run, {"activation": "relu", "data.recipe": "raw"})
    assert (initial["activation"], initial["recipe"]) == (["relu"], "raw")
    assert SweepForm.initial_from(run)["activation"] == ["sigmoid"]
    run.refresh_from_db()
    assert run.config["training"]["activation"] == "sigmoid"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "1,,2", "٣", "1_0", "0x10", "1" * 5000])
def test_odd_text_in_a_number_is_refused_or_read_but_never_an_error_of_ours(text: str) -> None:
    SweepForm({**TYPED, "width": text, "seeds": text, "learning_rate": text, "hidden_units": text}).is_valid()


SEARCHED = {"search_method": "random", "search_trials": "6", "learning_rate": "0.0001 .. 0.1 log"}


def test_a_range_is_searched_along_with_fields_of_several_values() -> None:
    spec = canonical(**SEARCHED, depth="0 .. 3", width="8..64 step 8", activation=["relu", "tanh"])
    assert spec["grid"] == {}
    assert spec["search"] == {
        "method": "random",
        "trials": 6,
        "seed": 0,
        "space": {
            "depth": {"low": 0, "high": 3},
            "width": {"low": 8, "high": 64, "step": 8},
            "activation": ["relu", "tanh"],
            "learning_rate": {"low": 0.0001, "high": 0.1, "log": True},
        },
    }


def test_goal_rungs_and_rules_are_typed_in_words() -> None:
    rules = "val_loss above 5 after 100; below 0.1; median after 2"
    spec = canonical(
        **SEARCHED,
        search_goal="val_loss",
        halving_epochs="1",
        halving_factor="2",
        steps="50",
        stop_rules=rules,
    )
    assert spec["search"]["goal"] == "val_loss"
    assert spec["search"]["halving"] == {"factor": 2, "first_epochs": 1}
    assert spec["search"]["stop_rules"] == [
        {"metric": "val_loss", "above": 5.0, "after_step": 100},
        {"below": 0.1, "after_step": 0},
        {"median": True, "after_step": 2},
    ]


def test_a_grid_can_be_halved_from_the_form() -> None:
    spec = canonical(depth="1, 2", halving_epochs="1", steps="50")
    assert spec["grid"] == {"depth": [1, 2]}
    assert spec["search"] == {"method": "grid", "halving": {"factor": 3, "first_epochs": 1}}


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"search_method": "grid", "search_trials": ""}, "learning_rate", "a range needs a search"),
        ({"search_trials": ""}, "search_trials", "a whole number, got None"),
        ({"search_trials": "many"}, "search_trials", "a whole number, got &#x27;many&#x27;"),
        ({"learning_rate": "0.1"}, "search_method", "at least one axis to search along"),
        ({"learning_rate": "0 .. 0.1 log"}, "learning_rate", "low above 0 on a logarithmic range"),
        ({"learning_rate": "a .. b"}, "learning_rate", "a finite number as low, got &#x27;a&#x27;"),
        ({"search_goal": "val_rmse"}, "search_goal", "one of val_accuracy, val_loss"),
        ({"halving_factor": "3"}, "halving_epochs", "one of first_epochs and first_steps"),
        ({"stop_rules": "stop it"}, "stop_rules", "got &#x27;stop it&#x27;"),
        ({"search_method": "magic"}, "search_method", "one of grid, random"),
    ],
)
def test_what_is_wrong_with_a_search_stands_beside_its_field(
    typed: dict[str, str], field: str, message: str
) -> None:
    form = SweepForm({**TYPED, **SEARCHED, **typed})
    assert not form.is_valid()
    assert message in str(form.errors[field])
