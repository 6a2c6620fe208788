"""Windows over HTTP: every extreme in a few columns, kept by the browser as long as nothing changes."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from nnlab.series.batch import Key, Points
from runs.models import ApiToken, Run
from runs.store.rewinding import rewind
from runs.store.writing import write
from tests.runs.builders import build_run, build_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Client:
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(build_user().pk, 'test')}"})


def written(run: Run, points: dict[Key, Points]) -> None:
    with transaction.atomic():
        write(run.pk, points)


def refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def asked(script: Client, path: str, **query: str | int) -> Any:
    answer = script.get(f"/api{path}", query)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content, parse_constant=refuse_constant)


def array(written: dict[str, str]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(written["bdata"]), np.dtype(written["dtype"]).newbyteorder("<"))
    return flat.reshape([int(size) for size in written["shape"].split(",")]) if "shape" in written else flat


def long_series() -> Points:
    values = np.random.default_rng(1).standard_normal(50_000).astype(np.float32).astype(np.float64)
    values[12_345], values[23_456], values[34_567] = 1e4, np.nan, -np.inf
    return np.arange(50_000), values


def test_a_window_of_columns_has_every_extreme_and_names_what_is_not_finite(script: Client) -> None:
    run, (steps, values) = build_run(), long_series()
    written(run, {("loss", None): (steps, values)})
    query: dict[str, str | int] = {"runs": run.pk, "metrics": "loss", "from": 10_000, "to": 39_999, "px": 100}
    [found] = asked(script, "/series", **query)["series"]
    assert (found["run"], found["metric"], found["layer"], found["kind"]) == (run.pk, "loss", None, "columns")
    counts, flags = array(found["counts"]), array(found["flags"])
    assert len(counts) <= 200
    assert counts.sum() == 30_000
    assert array(found["maximum"]).max() == 1e4
    assert array(found["minimum"]).min() == np.min(values[10_000:40_000][np.isfinite(values[10_000:40_000])])
    assert sorted(flags[flags > 0]) == [1, 4]
    assert array(found["nonfinite"]).sum() == 2
    assert array(found["steps"])[0] == 10_000
    [lists] = asked(script, "/series", **query, format="lists")["series"]
    np.testing.assert_array_equal(lists["maximum"], array(found["maximum"]))


def test_a_short_window_has_every_point_as_it_was_logged(script: Client) -> None:
    run, (steps, values) = build_run(), long_series()
    written(run, {("loss", None): (steps, values)})
    query: dict[str, str | int] = {"runs": run.pk, "metrics": "loss", "from": 23_450, "to": 23_460, "px": 100}
    [found] = asked(script, "/series", **query)["series"]
    assert found["kind"] == "points"
    np.testing.assert_array_equal(array(found["steps"]), steps[23_450:23_461])
    np.testing.assert_array_equal(array(found["values"]), values[23_450:23_461])
    [lists] = asked(script, "/series", **query, format="lists")["series"]
    assert lists["values"][6] == "NaN"


def test_steps_and_values_that_are_wide_are_exact(script: Client) -> None:
    run = build_run()
    points = np.array([-(2**40), 0, 2**52 + 1]), np.array([0.1, 1e300, np.inf])
    written(run, {("loss", None): points})
    [found] = asked(script, "/series", runs=run.pk, metrics="loss")["series"]
    np.testing.assert_array_equal(array(found["steps"]), points[0])
    np.testing.assert_array_equal(array(found["values"]), points[1])


def test_several_runs_and_metrics_come_in_one_answer(script: Client) -> None:
    first, second = build_run(), build_run()
    for run in (first, second):
        written(run, {("loss", None): (np.arange(9), np.ones(9)), ("norm", 1): (np.arange(9), np.ones(9))})
    found = asked(script, "/series", runs=f"{second.pk},{first.pk}", metrics="loss,norm,nothing")["series"]
    assert [(one["run"], one["metric"], one["layer"]) for one in found] == [
        (first.pk, "loss", None),
        (first.pk, "norm", 1),
        (second.pk, "loss", None),
        (second.pk, "norm", 1),
    ]


def test_a_heat_map_has_mean_and_greatest_value_of_each_layer_under_common_columns(script: Client) -> None:
    run, steps = build_run(), np.arange(1000, dtype=np.int64)
    written(run, {("norm", layer): (steps, np.multiply(steps, layer + 1.0)) for layer in (0, 1, 4)})
    found = asked(script, f"/runs/{run.pk}/heatmap", metric="norm", px=50)
    mean, maximum = array(found["mean"]), array(found["maximum"])
    assert found["layers"] == [0, 1, 4]
    assert mean.shape == maximum.shape == (3, 100)
    np.testing.assert_array_equal(array(found["steps"]), steps[::10])
    np.testing.assert_allclose(mean[2], 5 * (steps[::10] + 4.5))
    np.testing.assert_allclose(maximum[1], 2 * (steps[::10] + 9.0))
    assert asked(script, f"/runs/{run.pk}/heatmap", metric="nothing")["layers"] == []


PATHS = ["/api/series?runs={0}&metrics=loss&from=3", "/api/runs/{0}/heatmap?metric=loss"]


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_known_until_the_run_is_written_to_or_rewound(script: Client, path: str) -> None:
    run = build_run()
    written(run, {("loss", None): (np.arange(9), np.ones(9))})
    seen = set()
    for change in ("nothing", "written", "rewound"):
        if change == "written":
            written(run, {("loss", None): (np.arange(9, 12), np.ones(3))})
        if change == "rewound":
            with transaction.atomic():
                rewind(run.pk, 5)
        tag = script.get(path.format(run.pk)).headers["ETag"]
        again = script.get(path.format(run.pk), headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        seen.add(tag)
    assert len(seen) == 3
    assert script.get(path.format(run.pk) + "&px=7", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_run_that_does_not_exist_or_is_in_the_trash_answers_404(script: Client, path: str) -> None:
    run = build_run()
    assert script.get(path.format(run.pk + 1)).json() == {"detail": f"there is no run {run.pk + 1}"}
    Run.objects.update(deleted_at=timezone.now())
    answer = script.get(path.format(run.pk))
    assert answer.status_code == 404
    assert "is in the trash" in answer.json()["detail"]


@pytest.mark.parametrize("path", PATHS)
def test_windows_need_access(client: Client, path: str) -> None:
    assert client.get(path.format(build_run().pk)).status_code == 401


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=5&to=4", "ends after step 5"),
        ("px=0", "greater than or equal to 1"),
        ("px=1000000000", "at most 4,000 columns"),
        (f"px={2**64}", "less than"),
        ("px=NaN", "valid integer"),
        ("from=1.5", "valid integer"),
        ("from=nan", "valid integer"),
        (f"to={2**63}", "less than"),
        (f"from={-(2**63) - 1}", "greater than"),
        ("format=xml", "'arrays' or 'lists'"),
        ("metrics=a%00b", "pattern"),
        ("runs=", "pattern"),
        ("runs=1,x", "pattern"),
        ("runs=-1", "pattern"),
    ],
)
def test_a_window_that_makes_no_sense_answers_422_and_says_why(script: Client, query: str, said: str) -> None:
    path = f"/api/series?runs={build_run().pk}&metrics=loss"
    names = {pair.partition("=")[0] for pair in query.split("&")}
    kept = "&".join(pair for pair in path.partition("?")[2].split("&") if pair.partition("=")[0] not in names)
    answer = script.get(f"/api/series?{kept}&{query}")
    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_more_series_than_one_answer_holds_are_refused_with_the_remedy(script: Client) -> None:
    run = build_run()
    written(run, {("norm", layer): (np.arange(3), np.ones(3)) for layer in range(101)})
    answer = script.get(f"/api/series?runs={run.pk}&metrics=norm")
    assert answer.status_code == 422
    assert "ask for fewer runs or metrics" in answer.json()["detail"]


def test_every_point_is_given_at_steps_below_zero_too(script: Client) -> None:
    run = build_run()
    written(run, {("loss", None): (np.array([-3, -1, 0, 2]), np.array([4.0, 3.0, 2.0, 1.0]))})
    path = f"/runs/{run.pk}/series"
    assert asked(script, path, metric="loss")[0]["steps"] == [-3, -1, 0, 2]
    assert asked(script, path, metric="loss", after=-2)[0]["steps"] == [-1, 0, 2]


def test_a_number_that_no_run_can_have_is_refused(script: Client) -> None:
    assert script.get(f"/api/runs/{2**64}/heatmap?metric=norm").status_code == 422


def test_a_mean_that_float32_does_not_hold_stays_finite(script: Client) -> None:
    run = build_run()
    values = np.tile([0.5, -1e300, -0.5], 30_000)  # maxima that float32 holds, minima that it does not
    written(run, {("loss", None): (np.arange(90_000), values), ("norm", 0): (np.arange(90_000), values)})
    [found] = asked(script, "/series", runs=run.pk, metrics="loss", px=10)["series"]
    assert (array(found["mean"]) < -1e299).all()
    assert np.isfinite(array(found["mean"])).all()
    assert np.isfinite(array(asked(script, f"/runs/{run.pk}/heatmap", metric="norm", px=10)["mean"])).all()
