"""The first layer's weights as pictures, where the inputs are pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from nnlab.engine import checkpoints
from nnlab.engine.config import TrainingConfig
from nnlab.engine.network import Network
from nnlab.engine.records import Snapshot
from nnlab.engine.snapshots import histogram
from runs.charts.chart import Chart
from runs.charts.weight_images import MOST_UNITS, weight_images
from runs.models import Checkpoint, CheckpointPart, Run
from runs.store.network_snapshots import write
from tests.runs import builders
from tests.runs.sample_charts import plain

pytestmark = pytest.mark.django_db

CONFIG = TrainingConfig(hidden_units=(3,), seed=5)


def build_network(inputs: int) -> Network:
    return Network(CONFIG, inputs, 10)


def build_seen_run(inputs: int = 64, *, keeps: bool = True, **config: Any) -> Run:
    """Make a run with one snapshot, with its parameters or without."""
    info = {"inputs": inputs, "widths": [3, 10], "layer_names": ["hidden 1", "output"]}
    run = builders.build_finished_run(info=info)
    run.dataset = config.get("dataset", "digits")
    run.config = {"data": {"dataset": run.dataset}, "training": CONFIG.to_dict()}
    run.save()
    network = build_network(inputs)
    weights = tuple(histogram(layer.weight) for layer in network.layers)
    parameters = network.parameters.astype(np.float32) if keeps else None
    write(run.pk, [(44, Snapshot(weights, (), (), 64, parameters))])
    return run


def picture_of(client: Client, run: Run) -> Chart | None:
    client.force_login(builders.build_user())
    charts = client.get(reverse("run-weights", args=[run.pk])).context["charts"]
    return next((chart for chart in charts if chart.key == "first-layer"), None)


def drawn(chart: Chart) -> np.ndarray[Any, Any]:
    """Put both signs of a picture together."""
    above, below = (np.array(plain(trace["z"]), dtype=float) for trace in chart.figure["data"])
    return np.where(np.isnan(above), -below, above)


def test_each_unit_has_a_picture_of_its_weights(client: Client) -> None:
    chart = picture_of(client, build_seen_run())
    assert chart is not None
    mosaic = drawn(chart)
    assert mosaic.shape == (8, 3 * 8 + 2)
    expected = build_network(64).layers[0].weight[:, 1].reshape(8, 8)
    np.testing.assert_allclose(mosaic[:8, 9:17], expected, atol=1e-4)  # stored in 16 bits
    assert np.isnan(mosaic[:8, 8]).all()  # the space between
    assert chart.summary.startswith("3 units after step 44, with weights from ")
    assert len(chart.table.rows) == 3


def test_of_a_large_network_the_checkpoint_has_the_weights(client: Client) -> None:
    run = build_seen_run(keeps=False)
    assert picture_of(client, run) is None
    parameters = build_network(64).parameters
    data = checkpoints.Checkpoint(CONFIG.to_dict(), "", {}, {"parameters": parameters}).to_bytes()
    Checkpoint.objects.create(run=run, number=1, step=50, size=len(data), origin={}, health="", summary={})
    CheckpointPart.objects.create(run=run, number=1, part=0, data=data)
    chart = picture_of(client, run)
    assert chart is not None
    assert "only the checkpoint of step 50 keeps the weights" in chart.caption
    CheckpointPart.objects.update(data=b"damaged")
    assert picture_of(client, run) is None


def test_inputs_that_are_no_pixels_have_no_picture(client: Client) -> None:
    assert picture_of(client, build_seen_run(13, dataset="wine")) is None
    assert picture_of(client, build_seen_run(63)) is None
    assert picture_of(client, build_seen_run(dataset="gone.csv")) is None


def test_a_table_whose_columns_are_called_pixels_has_pictures(
    client: Client, tmp_path: Any, settings: Any
) -> None:
    settings.CSV_FOLDER = tmp_path
    rows = np.random.default_rng(0).integers(0, 9, (30, 16))
    for names, has in (([f"px{n}" for n in range(16)], True), ([f"c{n}" for n in range(16)], False)):
        lines = [",".join([*map(str, row), str(row[0] / 2)]) for row in rows]
        (tmp_path / "tiny.csv").write_text("\n".join([",".join([*names, "y"]), *lines]))
        assert (picture_of(client, build_seen_run(16, dataset="tiny.csv")) is not None) is has


def test_the_first_of_many_units_are_shown() -> None:
    weights = np.random.default_rng(0).standard_normal((16, 200))
    chart = weight_images("k", "t", weights, (4, 4), step=1)
    assert len(chart.table.rows) == MOST_UNITS
    assert chart.summary.startswith("The first 64 of 200 units")
    with pytest.raises(ValueError, match=r"expected \(25, units\) weights, got shape \(16, 200\)"):
        weight_images("k", "t", weights, (5, 5), step=1)
