"""Export: every point and every run, exactly, into files that appear whole."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Iterator
from http import HTTPStatus
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from nnlab.series.codec import FloatArray, IntArray
from runs import console, exporting, parquet
from runs.models import Run
from runs.reading.series import Points
from tests.runs.builders import build_finished_run, build_project, build_series, build_sweep, build_user

pytestmark = pytest.mark.django_db

Exported = dict[tuple[int, str, int | None], tuple[list[int], bytes]]
STRANGE = [0.1, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, 1 / 3]


def command(*words: str, **options: Any) -> str:
    with console.console.capture() as output:
        call_command("export", *words, stdout=StringIO(), **options)
    return output.get()


def bits(values: Any) -> bytes:
    """The values as bytes, with every NaN alike: text has one only."""
    floats = np.asarray(values, np.float64)
    return bytes(np.where(np.isnan(floats), np.nan, floats).astype("<f8").tobytes())


def read_csv(folder: Path) -> Exported:
    found: dict[Any, tuple[list[int], list[float]]] = {}
    with (folder / "points.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            key = (int(row["run"]), row["metric"], int(row["layer"]) if row["layer"] else None)
            steps, values = found.setdefault(key, ([], []))
            steps.append(int(row["step"]))
            values.append(float(row["value"]))
    return {key: (steps, bits(values)) for key, (steps, values) in found.items()}


def read_parquet(folder: Path) -> Exported:
    found: dict[Any, tuple[list[int], list[float]]] = {}
    for row in pq.read_table(folder / "points.parquet").to_pylist():
        steps, values = found.setdefault((row["run"], row["metric"], row["layer"]), ([], []))
        steps.append(row["step"])
        values.append(row["value"])
    return {key: (steps, bits(values)) for key, (steps, values) in found.items()}


READERS = {"--csv": read_csv, "--parquet": read_parquet}


@pytest.mark.parametrize("kind", READERS)
def test_every_point_is_exported_exactly(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    first, second = build_finished_run(), build_finished_run()
    noise = rng.standard_normal(10_000)
    build_series(first, "train_loss", noise, chunk_sizes=[4096, 4096])
    build_series(first, "val_loss", STRANGE, steps=[-5, 0, 1, 2, 7, 100, 2**40, 2**62])
    build_series(first, "gradient_rms", noise[:50], layer=0)
    build_series(first, "gradient_rms", noise[50:90], layer=1)
    build_series(second, "train_loss", noise[:3])

    command(str(first.pk), str(second.pk), kind, "--output", str(tmp_path))
    assert READERS[kind](tmp_path) == {
        (first.pk, "train_loss", None): (list(range(1, 10_001)), bits(noise)),
        (first.pk, "val_loss", None): ([-5, 0, 1, 2, 7, 100, 2**40, 2**62], bits(STRANGE)),
        (first.pk, "gradient_rms", 0): (list(range(1, 51)), bits(noise[:50])),
        (first.pk, "gradient_rms", 1): (list(range(1, 41)), bits(noise[50:90])),
        (second.pk, "train_loss", None): ([1, 2, 3], bits(noise[:3])),
    }


def as_points(steps: list[int], values: list[float], metric: str = "loss") -> Points:
    floats: FloatArray = np.array(values, np.float64)
    integers: IntArray = np.array(steps, np.int64)
    return Points(3, 0, metric, None, integers, floats)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(1, 9))
def test_parquet_keeps_every_bit_of_every_float(
    tmp_path_factory: pytest.TempPathFactory, patterns: list[int], group: int
) -> None:
    path = tmp_path_factory.mktemp("parquet") / "points.parquet"
    values = [struct.unpack("<d", pattern.to_bytes(8, "little"))[0] for pattern in patterns]
    points = as_points(list(range(len(values))), values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP", group)
        with parquet.Parquet().points(path) as add:
            add(points)
            add(as_points([9], [0.5], "other"))
    table = pq.read_table(path)
    assert table["value"].to_numpy()[:-1].tobytes() == points.values.tobytes()
    assert table["metric"].to_pylist() == ["loss"] * len(values) + ["other"]
    assert pq.ParquetFile(path).num_row_groups == -(-(len(values) + 1) // group)


def test_parquet_is_written_as_planned(tmp_path: Path) -> None:
    run = build_finished_run()
    build_series(run, "train_loss", np.random.default_rng(1).standard_normal(5000))
    command(str(run.pk), "--parquet", "--output", str(tmp_path))
    group = pq.ParquetFile(tmp_path / "points.parquet").metadata.row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(5)}
    assert "BYTE_STREAM_SPLIT" in columns["value"].encodings
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert columns["step"].total_compressed_size < 1000  # regular steps cost next to nothing


@pytest.mark.parametrize("kind", READERS)
def test_a_table_tells_of_the_runs(kind: str, tmp_path: Path) -> None:
    project = build_project(slug="housing")
    run = build_finished_run(build_sweep(project, "grid"), score=0.1, name="depth 2, “wide”\nand long")
    command("--project", "housing", kind, "--output", str(tmp_path))
    if kind == "--csv":
        with (tmp_path / "runs.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert row["ended_at"] == run.ended_at.isoformat() if run.ended_at else None
    else:
        (row,) = pq.read_table(tmp_path / "runs.parquet").to_pylist()
        assert row["ended_at"] == run.ended_at
    assert (row["name"], row["project"], row["sweep"]) == (run.name, "housing", "grid")
    assert (int(row["id"]), float(row["score"])) == (run.pk, 0.1)
    assert json.loads(row["config"]) == run.config
    assert json.loads(row["summary"]) == run.summary


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_becomes_a_formula_in_a_spreadsheet(start: str, tmp_path: Path) -> None:
    run = build_finished_run(name=f"{start}1+1", score=-0.5)
    build_series(run, f"{start}loss", [-1.0])
    command(str(run.pk), "--csv", "--output", str(tmp_path))
    with (tmp_path / "points.csv").open(newline="") as file:
        (point,) = csv.DictReader(file)
    with (tmp_path / "runs.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (point["metric"], point["value"]) == (f"'{start}loss", "-1.0")
    assert (row["name"], row["score"]) == (f"'{start}1+1", "-0.5")


def test_a_project_and_some_metrics_can_be_chosen(tmp_path: Path) -> None:
    project = build_project(slug="mine")
    run = build_finished_run(project=project)
    deleted = build_finished_run(project=project, deleted_at=timezone.now())
    for found in (run, deleted, build_finished_run()):
        build_series(found, "train_loss", [1.0])
        build_series(found, "val_loss", [2.0])
        build_series(found, "lr", [3.0])
    said = command("--project", "mine", "--metrics", "lr, val_loss", "--csv", "--output", str(tmp_path))
    assert set(read_csv(tmp_path)) == {(run.pk, "val_loss", None), (run.pk, "lr", None)}
    assert str(tmp_path / "points.csv") in said


def test_what_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    run = build_finished_run()
    build_series(run, "train_loss", [1.0])
    (tmp_path / "points.csv").write_text("mine")
    words = (str(run.pk), "--csv", "--output", str(tmp_path))
    with pytest.raises(
        CommandError, match=r"points\.csv would be replaced; choose another folder, or add --force"
    ):
        command(*words)
    assert (tmp_path / "points.csv").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points.csv"]
    command(*words, "--force")
    assert len(read_csv(tmp_path)) == 1


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    run = build_finished_run()
    build_series(run, "train_loss", [1.0])

    def full(_: int) -> None:
        assert (tmp_path / ".points.csv.part").exists()
        raise OSError("no space left on device")

    runs = Run.objects.filter(pk=run.pk)
    with pytest.raises(OSError, match="no space left"):
        exporting.export(runs, tmp_path, exporting.Csv(), on_points=full)
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_parquet_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(parquet, "pa", None)
    run = build_finished_run()
    with pytest.raises(CommandError, match="install it with: python -m pip install pyarrow"):
        command(str(run.pk), "--parquet", "--output", str(tmp_path))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--csv"], "expected the numbers of runs, or --project"),
        (["--csv", "1", "--project", "mine"], "expected the numbers of runs, or --project"),
        (["1"], "--parquet --csv is required"),
        (["--csv", "999999"], "there is no run 999999; nnlab trash shows the deleted ones"),
        (["--csv", "--project", "nowhere"], "there is no project nowhere"),
        (["--csv", "--project", "empty"], "expected runs to export, got none"),
        (["--csv", "--project", "full", "--metrics", "lost"], "has the metric lost; they have train_loss"),
    ],
)
def test_an_export_that_cannot_be_is_refused(words: list[str], message: str, tmp_path: Path) -> None:
    build_project(slug="empty")
    build_series(build_finished_run(project=build_project(slug="full")), "train_loss", [1.0])
    with pytest.raises(CommandError, match=message):
        command(*words, "--output", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_memory_holds_one_metric_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, Any]] = []

    def noted(run_ids: Any, metrics: Any) -> Iterator[Points]:
        asked.append((run_ids, metrics))
        return iter(())

    monkeypatch.setattr(exporting, "read_series", noted)
    run, other = build_finished_run(), build_finished_run()
    for found in (run, other):
        build_series(found, "gradient_rms", [1.0], layer=0)
        build_series(found, "gradient_rms", [1.0], layer=1)
        build_series(found, "train_loss", [1.0])
    assert list(exporting.points_of(Run.objects.all())) == []
    names = ("gradient_rms", "train_loss")
    assert asked == [([found.pk], [name]) for found in (run, other) for name in names]


def test_a_runs_page_offers_all_its_points(client: Client, tmp_path: Path) -> None:
    user = build_user()
    client.force_login(user)
    run = build_finished_run()
    build_series(run, "train_loss", np.random.default_rng(2).standard_normal(20_000))
    build_series(run, "gradient_rms", STRANGE, layer=1)
    address = reverse("run-points", args=[run.pk])
    assert address in client.get(run.get_absolute_url()).content.decode()

    answer: Any = client.get(address)
    assert answer["Content-Disposition"] == f'attachment; filename="run-{run.pk}.csv"'
    command(str(run.pk), "--csv", "--output", str(tmp_path))
    assert answer.getvalue() == (tmp_path / "points.csv").read_bytes()

    Run.objects.update(deleted_at=timezone.now())
    assert client.get(address).status_code == HTTPStatus.NOT_FOUND


class _Written:
    """Takes tables as a Parquet writer does, and notes their lengths."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def write_table(self, table: Any, row_group_size: int) -> None:
        assert table.num_rows <= row_group_size
        self.rows.append(table.num_rows)


def test_memory_holds_no_more_than_one_row_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 4)
    written = _Written()
    group = parquet._Group(written)
    for count in (3, 10, 1, 2):
        group.add(as_points(list(range(count)), [0.5] * count))
    group.write()
    assert written.rows == [4, 4, 4, 4]
