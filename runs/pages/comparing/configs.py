"""What a comparison reads of configurations: once for each group, never for each run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runs.models import Run, Source
from runs.pages.formats import network
from runs.reading.comparison import RunRow

FACTORS = ("depth", "width", "activation", "dropout")
MORE_FACTORS = ("optimizer", "learning_rate", "batch_size", "dataset")
_NETWORK_FIELDS = (
    "hidden_units",
    "activation",
    "dropout",
    "optimizer",
    "learning_rate",
    "batch_size",
    "seed",
)


def networks_of(runs: Sequence[RunRow]) -> dict[str, str]:
    """Write the layers of networks whose widths differ, by group."""
    first = {run.group: run.pk for run in reversed(runs)}
    found = Run.objects.filter(pk__in=first.values()) if first else Run.objects.none()
    layers = found.order_by().values_list("group", "config__training__hidden_units")
    return {group: network(units) for group, units in layers}


def rests_of(first: Sequence[RunRow]) -> dict[str, str]:
    """Write whatever the configurations say beside the factors, by group, of the first run of each."""
    found = Run.objects.filter(pk__in=[run.pk for run in first]).order_by()
    return {
        group: _rest_outside(config) if source == Source.OUTSIDE else _rest(config)
        for group, source, config in found.values_list("group", "source", "config")
    }


def _rest(config: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in config["training"].items() if key not in _NETWORK_FIELDS}
    data = {key: value for key, value in config["data"].items() if key != "dataset"}
    return json.dumps({"data": data, "training": rest}, sort_keys=True)


def _rest_outside(config: Mapping[str, Any]) -> str:
    known = {*_NETWORK_FIELDS, *FACTORS, *MORE_FACTORS, "lr"}
    return json.dumps({key: value for key, value in config.items() if key not in known}, sort_keys=True)
