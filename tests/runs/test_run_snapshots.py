"""Inside a run's network: the tabs of its activations and of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from nnlab.engine.records import Snapshot
from nnlab.engine.snapshots import histogram
from runs.models import Run
from runs.pages.run.snapshots import MAX_MAPS, NEVER, NONE_YET
from runs.store.network_snapshots import write
from tests.runs import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(builders.build_user())
    return client


def build_seen_run(build: Any = builders.build_finished_run, *, layers: int = 2, **more: Any) -> Run:
    """Make a run with three snapshots, in the last of which the first layer is silent."""
    activation = more.pop("activation", "relu")
    names = [*(f"hidden {layer + 1}" for layer in range(layers)), "output"]
    info = {"layer_names": names, "activations": [activation] * layers + ["softmax"]}
    run: Run = build(info=info, **more)
    rng = np.random.default_rng(0)
    write(run.pk, [(step, _snapshot(rng, layers, silent=step == 90)) for step in (0, 30, 90)])
    return run


def _snapshot(rng: np.random.Generator, layers: int, *, silent: bool) -> Snapshot:
    outputs = [np.maximum(rng.standard_normal((5, 64)), 0.0) for _ in range(layers)]
    if silent and layers:
        outputs[0][:] = 0.0
    return Snapshot(
        weights=tuple(histogram(rng.standard_normal(40)) for _ in range(layers + 1)),
        outputs=tuple(histogram(a) for a in outputs),
        active=tuple((a > 0).sum(axis=1) for a in outputs),
        rows=64,
    )


def charts_of(client: Client, run: Run, tab: str, **parameters: Any) -> dict[str, Any]:
    found = client.get(reverse(f"run-{tab}", args=[run.pk]), parameters).context["charts"]
    return {chart.key: chart for chart in found}


def test_ridges_are_those_of_the_last_snapshot_and_a_silent_layer_is_named(reader: Client) -> None:
    charts = charts_of(reader, build_seen_run(), "activations")
    assert list(charts) == ["ridges", "units-0", "units-1"]
    assert charts["ridges"].title == "Outputs of each layer after step 90"
    assert charts["ridges"].summary == "At step 90 every output of hidden 1 is exactly 0."
    assert "all 5 units are off for every row" in charts["units-0"].summary
    assert "each of the 5 units is on" in charts["units-1"].summary


@pytest.mark.parametrize(("step", "shown"), [(0, 0), (29, 0), (30, 30), (89, 30), (500, 90)])
def test_a_step_shows_the_snapshot_before_it(reader: Client, step: int, shown: int) -> None:
    charts = charts_of(reader, build_seen_run(), "activations", step=step)
    assert charts["ridges"].title == f"Outputs of each layer after step {shown}"


@pytest.mark.parametrize("activation", ["tanh", "relu>tanh"])
def test_units_that_cannot_die_have_no_map(reader: Client, activation: str) -> None:
    assert list(charts_of(reader, build_seen_run(activation=activation), "activations")) == ["ridges"]


def test_every_layer_with_weights_has_a_map_of_them(reader: Client) -> None:
    charts = charts_of(reader, build_seen_run(), "weights")
    assert [chart.title for chart in charts.values()] == [
        "Weights of hidden 1",
        "Weights of hidden 2",
        "Weights of output",
    ]
    assert charts["weights-0"].figure["data"][0]["x"] == ["0", "30", "90"]


def test_of_a_deep_network_some_layers_are_shown_the_first_and_the_last_among_them(reader: Client) -> None:
    charts = charts_of(reader, build_seen_run(layers=40), "weights")
    assert len(charts) == MAX_MAPS
    first, *_, last = charts
    assert (first, last) == ("weights-0", "weights-40")


def test_a_network_without_hidden_layers_says_so(reader: Client) -> None:
    run = build_seen_run(layers=0)
    assert charts_of(reader, run, "activations")["ridges"].empty
    assert list(charts_of(reader, run, "weights")) == ["weights-0"]


@pytest.mark.parametrize("tab", ["activations", "weights"])
def test_a_run_without_snapshots_says_whether_there_will_be_one(reader: Client, tab: str) -> None:
    (chart,) = charts_of(reader, builders.build_finished_run(), tab).values()
    assert chart.empty == NEVER
    (chart,) = charts_of(reader, builders.build_running_run(), tab).values()
    assert chart.empty == NONE_YET
