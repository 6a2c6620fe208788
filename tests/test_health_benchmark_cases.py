"""Files of other labelled cases become configurations of ours, or say why they cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.benchmarks.health import exchange, programs, suites
from tests.benchmarks.health.cases import Case, read, write
from tests.benchmarks.health.datasets import DataUnknownError, described, problem_of

if TYPE_CHECKING:
    from pathlib import Path

ADAM = {"name": "adam", "lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-07}
RECIPE = (
    "sklearn.datasets.make_moons(n_samples=100, noise=0.1, random_state=3); rows 0-69 train, rows 70-99 held"
)


def layer(
    units: int, activation: Any, kernel: str = "he_uniform", repeat: int = 1, **more: Any
) -> dict[str, Any]:
    return {"repeat": repeat, "units": units, "activation": activation, "kernel_init": kernel,
            "bias_init": "zeros", **more}  # fmt: skip


def model(**changes: Any) -> dict[str, Any]:
    told = {
        "id": "one",
        "dataset": "new_moons",
        "layers": [layer(5, "tanh", repeat=2), layer(5, ["tanh", "tanh"]), layer(1, "sigmoid", "zeros")],
        "loss": "binary_crossentropy",
        "optimizer": ADAM,
        "batch": 32,
        "epochs": 4,
        "published": {"label": "sick", "problem_class": "vanishing_gradient"},
    }
    return told | changes


def read_model(folder: Path, **changes: Any) -> Case:
    told = {
        "schema": exchange.MODELS,
        "datasets": {"new_moons": {"recipe": RECIPE}},
        "cases": [model(**changes)],
    }
    path = folder / "cases.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return exchange.read(path)[0]


def test_a_model_is_expressed_layer_by_layer_with_as_many_updates(tmp_path: Path) -> None:
    case = read_model(tmp_path)
    assert case.unable == ""
    assert case.training == {
        "hidden_units": [5, 5, 5],
        "activation": ["tanh", "tanh", "tanh>tanh"],
        "initializer": ["he_uniform", "he_uniform", "he_uniform", "zeros"],
        "output_activation": "sigmoid",
        "loss": "binary_cross_entropy",
        "batch_size": 32,
        "steps": 12,
        "optimizer": "adam",
        "learning_rate": 0.001,
    }
    assert (case.epoch_steps, case.accepts) == (3, ("vanishing", "forward_collapse"))


def test_an_initialiser_of_the_biases_is_kept(tmp_path: Path) -> None:
    case = read_model(tmp_path, layers=[layer(5, "tanh"), layer(1, "sigmoid", bias_init="lecun_uniform")])
    assert case.training["bias_initializer"] == ["zeros", "lecun_uniform"]
    assert case.unable == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"optimizer": ADAM | {"beta1": 0.5}}, "beta1"),
        ({"optimizer": {"name": "lion", "lr": 1.0}}, "lion"),
        ({"layers": [layer(5, "swish"), layer(1, "sigmoid")]}, "swish"),
        ({"layers": [layer(5, "tanh", kernel="orthogonal"), layer(1, "sigmoid")]}, "orthogonal"),
        ({"layers": [layer(5, "tanh", pooled=True), layer(1, "sigmoid")]}, "pooled"),
        ({"layers": [layer(5, "tanh"), layer(1, "sigmoid", dropout_after=0.5)]}, "dropout"),
        ({"loss": "hinge"}, "hinge"),
        ({"dataset": "secret"}, "secret"),
    ],
)
def test_what_the_engine_has_not_counts_as_not_expressed(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    case = read_model(tmp_path, **changes)
    assert reason in case.unable


def program(**changes: Any) -> dict[str, Any]:
    config = {
        "x_scaling": "minmax_0_1",
        "y_scaling": "standardise",
        "layers": [layer(4, "relu"), layer(1, "linear")],
        "loss": "mse",
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.5, "nesterov": True},
        "batch": 1000,
        "epochs": 3,
    }
    variant = {"config": config, "measured": {"values": [0.1, 0.2]}}
    return {
        "id": "asked",
        "task": "regression",
        "fault_types": ["lr"],
        "data": {
            "recipe": "sklearn load_diabetes; train part of train_test_split(test_size=0.5, random_state=2)"
        },
        "baseline": 0.0,
        "buggy": variant,
        "published_fix": variant | {"measured": {"values": [0.4, 1.0]}},
        "alternatives": [],
    } | changes


def test_a_program_gives_two_cases_that_are_scored_on_their_training_rows(tmp_path: Path) -> None:
    path = tmp_path / "programs.json"
    path.write_text(json.dumps({"schema": exchange.PROGRAMS, "cases": [program()]}), encoding="utf-8")
    buggy, fixed = exchange.read(path)
    assert [case.unable for case in (buggy, fixed)] == ["", ""]
    assert [case.published for case in (buggy, fixed)] == ["sick", "normal"]
    assert (buggy.training["optimizer"], buggy.training["batch_size"], buggy.training["steps"]) == (
        "nesterov",
        221,
        3,
    )
    assert (buggy.rule.metric, buggy.rule.sick_below, buggy.rule.healthy_from) == ("val_r2", 0.5, 0.8)
    problem = problem_of(buggy.data)
    assert problem.x_train is problem.x_val or np.array_equal(problem.x_train, problem.x_val)
    assert problem.x_train.min() == 0.0
    assert float(problem.y_train.std()) == pytest.approx(1.0, abs=1e-5)


def test_arrays_beside_the_file_are_taken_where_words_name_no_generator(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "asked.npz", x_train=rng.normal(size=(20, 3)), y_train=rng.normal(size=(20, 1)))
    path = tmp_path / "programs.json"
    told = {"schema": exchange.PROGRAMS, "cases": [program(data={"recipe": "a file of mine"})]}
    path.write_text(json.dumps(told), encoding="utf-8")
    assert [case.unable for case in exchange.read(path)] == ["", ""]
    (tmp_path / "asked.npz").unlink()
    assert "a file of mine" in exchange.read(path)[0].unable


def test_a_recipe_without_a_call_is_refused() -> None:
    with pytest.raises(DataUnknownError, match="no recipe"):
        described("ask the author")


def test_cases_come_back_from_our_own_schema(tmp_path: Path) -> None:
    cases = [*suites.models(), *programs.cases()]
    write(tmp_path / "cases.json", cases)
    assert read(tmp_path / "cases.json") == cases


def test_our_files_hold_every_model_and_program_and_all_can_be_trained() -> None:
    cases = suites.cases_of(["A", "B"])
    assert (len(cases), {case.id: case.unable for case in cases if case.unable}) == (34, {})


def test_a_fault_of_the_inputs_is_mended_by_the_recipe_that_scales() -> None:
    spoilt = {"dataset": "wine", "recipe": "raw", "scaled_before": "default", "x_factor": 100}
    healthy = problem_of({"dataset": "wine"})
    assert np.allclose(problem_of(spoilt).x_train, 100 * healthy.x_train)
    assert np.allclose(problem_of(spoilt | {"recipe": "default"}).x_train, healthy.x_train)
    assert np.allclose(problem_of(spoilt | {"standardise_inputs": True}).x_train, healthy.x_train, atol=1e-4)
