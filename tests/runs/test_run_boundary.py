"""The picture of what a network of two inputs says, on the tab of the weights of its run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from numpy.typing import NDArray

from nnlab.data.config import DataConfig
from nnlab.data.preparation import prepare
from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.records import Snapshot
from nnlab.engine.training import train
from runs.charts.boundary import Cloud, Judged, Names, Plane, boundary
from runs.charts.chart import Chart
from runs.models import Run
from runs.pages.run.boundary import GRID
from runs.store.network_snapshots import write
from tests.runs import builders
from tests.runs.sample_charts import plain

pytestmark = pytest.mark.django_db

TRAINING = {"hidden_units": (4,), "activation": "tanh", "batch_size": 16, "epochs": 30}


def build_asked_run(dataset: str, **training: Any) -> Run:
    """Train a run for real, and keep its snapshots as a worker does."""
    data = DataConfig(dataset=dataset, rows=120)
    config = TrainingConfig.from_dict({**TrainingConfig().to_dict(), **TRAINING, **training})
    prepared = prepare(data)
    problem = Problem(
        *(prepared.task, prepared.x_train, prepared.y_train, prepared.x_val, prepared.y_val),
        prepared.outputs,
    )
    taken: list[tuple[int, Snapshot]] = []
    for records in train(config, problem):
        taken += [(one.step, one.snapshot) for one in records.evaluations if one.snapshot is not None]
    run = builders.build_finished_run(info={"inputs": 2, "layer_names": ["hidden 1", "output"]})
    run.config = {"data": data.to_dict(), "training": config.to_dict()}
    run.save()
    write(run.pk, taken)
    return run


def picture_of(client: Client, run: Run, **query: Any) -> Chart | None:
    client.force_login(builders.build_user())
    charts = client.get(reverse("run-weights", args=[run.pk]), query).context["charts"]
    return next((chart for chart in charts if chart.key == "boundary"), None)


def table_of(trace: dict[str, Any], name: str) -> NDArray[np.float64]:
    return np.array(plain(trace[name]), dtype=np.float64)


def test_two_classes_are_tinted_where_the_network_gives_them(client: Client) -> None:
    run = build_asked_run("gauss")
    chart = picture_of(client, run)
    assert chart is not None
    first, second, *points = chart.figure["data"]
    shares = [table_of(one, "z") for one in (first, second)]
    assert all(share.shape == (GRID, GRID) for share in shares)
    assert (np.isnan(shares[0]) ^ np.isnan(shares[1])).all()  # each place is one class's
    assert np.nanmin(shares) >= 0.5
    # The clouds lie at (2, 2) and (-2, -2), and have shapes of their own.
    assert np.isnan(shares[0][-1, -1]) != np.isnan(shares[0][0, 0])
    assert [one["marker"]["symbol"] for one in points] == ["circle", "square", "circle-open", "square-open"]
    assert sum(len(plain(one["x"])) for one in points) == 120
    assert chart.table.rows[-1][2] == "100.0%"
    assert "the network calls 100.0% of the validation rows right" in chart.summary


def test_a_step_shows_the_network_of_that_step(client: Client) -> None:
    run = build_asked_run("xor")
    first, last = (picture_of(client, run, **query) for query in ({"step": 0}, {}))
    assert first is not None
    assert last is not None
    assert first.title == "Decision boundary"
    assert first.summary.startswith("After step 0 ")
    assert first.figure["data"][0]["z"] != last.figure["data"][0]["z"]
    assert first.table == last.table


def test_a_regression_is_drawn_on_the_scale_of_its_true_values(client: Client) -> None:
    chart = picture_of(client, build_asked_run("reg-plane"))
    assert chart is not None
    surface, training, validation = chart.figure["data"]
    assert surface["colorbar"]["title"]["text"] == "label"
    assert (training["marker"]["cmin"], validation["marker"]["cmax"]) == (surface["zmin"], surface["zmax"])
    assert chart.table.columns[2] == "RMSE of validation (label)"


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.info.update(inputs=3),
        lambda run: run.info.update(train_rows=1_000_000),
        lambda run: run.config["training"].update(batch_norm=True),
        lambda run: run.config["data"].update(dataset="gone.csv"),
    ],
)
def test_a_run_that_cannot_be_asked_has_no_picture(client: Client, change: Any) -> None:
    run = build_asked_run("gauss")
    change(run)
    run.save()
    assert picture_of(client, run) is None


def test_more_classes_have_more_regions() -> None:
    side = np.linspace(0.0, 1.0, 3)
    answers = np.zeros((3, 3, 3))
    answers[0, :, 0], answers[1, :, 1], answers[2, :, 2] = 1.0, 1.0, 1.0
    cloud = Cloud("training", side, side, np.array([0, 1, 2]))
    names = Names(("a", "b"), ("x", "<y>", "z"), "kind")
    chart = boundary(
        "k", "t", Plane(side, side, answers), [cloud], names=names, judged=[Judged(5, 1.0, 0.5)], step=5
    )
    drawn = [plain(one["z"]) for one in chart.figure["data"][:3]]
    assert [np.count_nonzero(np.isfinite(np.array(one, float))) for one in drawn] == [3, 3, 3]
    assert chart.figure["data"][4]["name"] == "■ &lt;y>, training"
    assert chart.summary.startswith("After step 5 the network calls 50.0% of the validation rows right;")
