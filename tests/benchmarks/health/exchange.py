"""Files of other labelled cases: the schemas ``nnlab-health-cases/1`` and ``nnlab-real-cases/1``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.benchmarks.health.cases import Case, Rule
from tests.benchmarks.health.datasets import SCALINGS, DataUnknownError, rows_of
from tests.benchmarks.health.training import checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MODELS, PROGRAMS = "nnlab-health-cases/1", "nnlab-real-cases/1"
INITIALIZERS = {
    "uniform_0.05": "uniform",
    "normal_0.05": "normal",
    "truncated_normal_0.05": "truncated_normal",
}
NEITHER = {"sick_below": -1.0, "healthy_from": 2.0}  # of a run that has nothing to learn
LAYER_FIELDS = {"repeat", "units", "activation", "kernel_init", "bias_init", "dropout_after"}
BETAS = {"beta1": 0.9, "beta2": 0.999, "rho": 0.9}
# What a check must say for the cause to be named, by the published class of a model's problem.
ACCEPTED = {
    "exploding_gradient": ("nonfinite", "exploding", "divergence"),
    "vanishing_gradient": ("vanishing", "forward_collapse"),
    "dying_relu": ("dead_layer", "born_dead", "dying_units", "vanishing", "forward_collapse", "not_learning"),
    "oscillating_loss": ("oscillation",),
    "slow_convergence": ("slow", "plateau", "not_learning", "update_ratio"),
}
# The same by the published fault types of a program.
FAULTS = {
    "lr": ("nonfinite", "exploding", "divergence", "dead_layer", "oscillation", "slow", "update_ratio",
           "plateau", "not_learning"),
    "optimizer": ("slow", "update_ratio", "plateau", "not_learning", "oscillation"),
    "epochs": ("slow", "update_ratio", "plateau", "not_learning"),
    "batch": ("slow", "update_ratio", "plateau", "not_learning", "oscillation"),
    "activation": ("output_mismatch", "vanishing", "forward_collapse", "saturated", "linear_collapse",
                   "dead_layer", "dying_units"),
    "loss": ("output_mismatch", "not_learning", "plateau"),
    "initialization": ("symmetry", "vanishing", "forward_collapse", "saturated"),
    "preprocessing": ("unscaled_data", "exploding", "nonfinite", "dead_layer", "saturated"),
    "layer": ("vanishing", "linear_collapse", "not_learning"),
    "none": ("class_balance",),
}  # fmt: skip


class UnableError(ValueError):
    """The engine has no way to train a case as it stands."""


def read(path: Path) -> list[Case]:
    """Read all cases of a file; those that cannot be trained say why.

    Raises:
        ValueError: for another schema.
    """
    told = json.loads(path.read_text(encoding="utf-8"))
    schema = told.get("schema")
    if schema == MODELS:
        return [_case(_model, one, path, told.get("datasets", {})) for one in told["cases"]]
    if schema == PROGRAMS:
        return [_case(_variant, item, path, {}) for one in told["cases"] for item in _variants(one)]
    raise ValueError(f"expected {MODELS} or {PROGRAMS} in {path.name}, got {schema!r}")


def _case(make: Any, told: Mapping[str, Any], path: Path, datasets: Mapping[str, Any]) -> Case:
    try:
        case: Case = make(told, path, datasets)
    except (UnableError, DataUnknownError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError | TypeError) else str(error)
        suite = "A" if make is _model else "B"
        return Case(id=str(told["id"]), suite=suite, training={}, data={}, rule=Rule(), unable=reason)
    return checked(case)


def _model(told: Mapping[str, Any], path: Path, datasets: Mapping[str, Any]) -> Case:
    data = _data_of_model(told, path, datasets)
    published, rows = told["published"], rows_of(data)
    problem = published.get("problem_class", "none")
    training, epoch_steps = _training(told, len(rows.x), rows.task)
    late = problem == "oscillating_loss"
    return Case(
        id=told["id"],
        suite="A",
        training=training,
        data=data,
        rule=Rule(statistic="late" if late else "best", sick_below=0.6, healthy_from=0.8),
        seeds=len(told.get("reference", {}).get("seeds", range(10))),
        problem="" if problem == "none" else problem,
        published=published["label"],
        accepts=ACCEPTED.get(problem, ()),
        epoch_steps=epoch_steps,
        notes={name: told["reference"][name] for name in ("outcome_by_best", "outcome_by_late_median")
               if name in told.get("reference", {})},
    )  # fmt: skip


def _data_of_model(told: Mapping[str, Any], path: Path, datasets: Mapping[str, Any]) -> dict[str, Any]:
    name = told["dataset"]
    recipe = datasets.get(name, {}).get("recipe", "")
    data = {"dataset": name, "recipe": "raw"}
    try:
        rows_of(data)
    except DataUnknownError:
        arrays = path.with_name(f"{name}.npz")
        if arrays.exists():
            return data | {"arrays": str(arrays), "task": told["task"]}
        data["dataset"] = recipe or name
    return data


def _variants(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the program as it was, and with its published fix: two cases of one program."""
    for variant in ("buggy", "published_fix"):
        if told.get(variant):
            yield {**told, "id": f"{told['id']}-{variant}", "program": told["id"], "variant": variant}


def _variant(told: Mapping[str, Any], path: Path, _datasets: Mapping[str, Any]) -> Case:
    config, is_buggy = told[told["variant"]]["config"], told["variant"] == "buggy"
    data = _data_of_program(told, config, path)
    rows = rows_of(data)
    training, epoch_steps = _training(config, len(rows.x), data.get("as_task", rows.task))
    faults = [kind for kind in told["fault_types"] if kind]
    accepted = [
        check for kind in faults for name, checks in FAULTS.items() if name in kind for check in checks
    ]
    return Case(
        id=told["id"],
        suite="B",
        training=training,
        data=data,
        rule=_rule_of_program(told),
        seeds=len(told[told["variant"]].get("measured", {}).get("values", range(10))),
        problem=", ".join(faults) if is_buggy else "",
        published="sick" if is_buggy else "normal",
        accepts=tuple(dict.fromkeys(accepted)),
        epoch_steps=epoch_steps,
        notes={"program": told["program"], "measured": told[told["variant"]].get("measured", {})},
    )


def _data_of_program(told: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    from tests.benchmarks.health import programs  # noqa: PLC0415 - which reads cases with this module's help

    recipe, y_scaling = SCALINGS[config.get("x_scaling", "none")], config.get("y_scaling", "none")
    SCALINGS[y_scaling]
    data: dict[str, Any] = {"dataset": told["data"]["recipe"], "recipe": recipe, "task": told["task"]}
    arrays = path.with_name(f"{told['program']}.npz")
    known = programs.dataset_of(told["program"], told["variant"])
    if arrays.exists():
        data["arrays"] = str(arrays)
    elif known:
        data = {"dataset": known, "recipe": recipe}
    else:
        rows_of(data)
    if y_scaling == "standardise":
        data["standardise_target"] = True
    elif y_scaling != "none":
        data["y_scaling"] = y_scaling
    units = config["layers"][-1]["units"]
    if told["task"] == "binary" and units == 2:
        data |= {"as_task": "multiclass", "outputs": 2}
    return data


def _rule_of_program(told: Mapping[str, Any]) -> Rule:
    """Sick below the middle of the baseline and the best value that was measured; healthy near the best."""
    tried = [told[name] for name in ("buggy", "published_fix") if told.get(name)] + told["alternatives"]
    values = [value for one in tried for value in one.get("measured", {}).get("values", ())]
    if told["task"] == "multilabel":  # whose measure is not that of the source
        return Rule(statistic="late", reference=f"{told['program']}-published_fix")
    base, best = told["baseline"], max(values)
    metric = "val_r2" if told["task"] == "regression" else "val_accuracy"
    bounds = {"sick_below": (base + best) / 2, "healthy_from": base + 0.8 * (best - base)}
    if not best > base:
        bounds = NEITHER
    return Rule(metric=metric, statistic="late", **bounds)


def _training(told: Mapping[str, Any], rows: int, task: str) -> tuple[dict[str, Any], int]:
    """Translate a network and its training; also give the steps of an epoch with its partial batch.

    The engine drops a partial batch, so the number of updates is kept instead of that of the epochs.
    """
    layers = [layer for run in told["layers"] for layer in [run] * run.get("repeat", 1)]
    unknown = {name for layer in layers for name in layer} - LAYER_FIELDS
    if unknown:
        raise UnableError(f"layers have no {', '.join(sorted(unknown))}")
    hidden, output = layers[:-1], layers[-1]
    batch = min(told["batch"], rows)
    epoch_steps = -(-rows // batch)
    training = {
        "hidden_units": [layer["units"] for layer in hidden],
        "activation": _one_or_list([_composed(layer["activation"]) for layer in hidden]) or "relu",
        "initializer": _one_or_list([_initializer(layer["kernel_init"]) for layer in layers]),
        "output_activation": _composed(output["activation"]),
        "loss": _loss(told["loss"], output, task),
        "batch_size": batch,
        "steps": epoch_steps * told["epochs"],
        **_optimizer(told["optimizer"]),
    }
    biases = [_initializer(layer.get("bias_init", "zeros")) for layer in layers]
    if set(biases) != {"zeros"}:
        training["bias_initializer"] = _one_or_list(biases)
    rates = [layer.get("dropout_after") or 0.0 for layer in layers]
    if rates[-1]:
        raise UnableError("the engine has no dropout after the output")
    if any(rates):
        training["dropout"] = rates[:-1]
    return training, epoch_steps


def _one_or_list(values: list[Any]) -> Any:
    return values[0] if values and len(set(values)) == 1 else values


def _composed(names: str | list[str]) -> str:
    return names if isinstance(names, str) else ">".join(names)


def _initializer(name: str) -> str:
    return INITIALIZERS.get(name, name)


def _loss(name: str, output: Mapping[str, Any], task: str) -> str:
    alone = output["units"] == 1 and output["activation"] == "softmax"
    if name == "binary_crossentropy":
        if alone and task == "binary":
            return "cross_entropy"
        return "binary_cross_entropy" if output["activation"] == "sigmoid" else "clipped_binary_cross_entropy"
    if name == "categorical_crossentropy":
        return "softmax_cross_entropy" if output["activation"] == "softmax" and not alone else "cross_entropy"
    return {"categorical_crossentropy_row_normalised": "cross_entropy"}.get(name, name)


def _optimizer(told: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in BETAS.items():
        if name in told and told[name] != value:
            raise UnableError(f"the engine's {told['name']} has {name} {value}, not {told[name]}")
    unknown = set(told) - {*BETAS, "name", "lr", "momentum", "nesterov", "eps", "centered", "amsgrad"}
    if unknown or told.get("centered") or told.get("amsgrad"):
        raise UnableError(
            f"the engine's {told['name']} has no {', '.join(sorted(unknown)) or 'such variant'}"
        )
    name, found = told["name"], {"learning_rate": told["lr"]}
    if name == "sgd" and told.get("momentum"):
        name, found["momentum"] = "nesterov" if told.get("nesterov") else "momentum", told["momentum"]
    elif told.get("momentum"):
        raise UnableError(f"the engine's {name} has no momentum")
    return {"optimizer": name, **found}
