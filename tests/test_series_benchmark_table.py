"""The README's figures of the metric store are those that were measured."""

from __future__ import annotations

import pytest

from tests.benchmarks.pipes import ContenderError
from tests.benchmarks.series import table
from tests.benchmarks.series.reads import losses
from tests.benchmarks.series.rounds import Row, play, ratio, spread
from tests.benchmarks.series.targets import TARGETS, Target

FOUND = {
    "measurement": "ingest_28_keys",
    "load": [0.5, 1.0],
    "commit": "1234567",
    "machine": {"cpu": "A CPU", "cpus": 2, "system": "Linux x86_64", "python": "3.11.7"},
    "contenders": {
        "nnlab": {
            "title": "nnlab, SQLite",
            "versions": {"nnlab": "1"},
            "durability": "synced at times",
            "figures": {"points_per_second": [4e6, 3e6, 5e6]},
        },
        "mlflow": {
            "title": "MLflow log_batch, SQLite",
            "figures": {"points_per_second": [1e4, 1e4, 1e4]},
            "loses": ["the spike"],
        },
        "aim": {"title": "Aim track(dict)", "failure": "cannot be installed"},
    },
}
NNLAB, MLFLOW = ("nnlab", "points_per_second"), ("mlflow", "points_per_second")


def test_the_readme_tells_what_the_store_was_measured_to_do() -> None:
    text = table.README.read_text(encoding="utf-8")
    assert table.section(table.read_results()) == text.split(table.START)[1].split(table.END)[0]


def test_a_ratio_is_the_median_of_the_rounds_with_the_extremes() -> None:
    assert ratio(FOUND, NNLAB, MLFLOW) == pytest.approx((400.0, 300.0, 500.0))
    assert spread(FOUND, *NNLAB) == (4e6, 3e6, 5e6)


def test_who_failed_has_no_ratio_and_no_figure() -> None:
    assert ratio(FOUND, NNLAB, ("aim", "points_per_second")) is None
    assert spread(FOUND, "aim", "points_per_second") is None


@pytest.mark.parametrize(
    ("bound", "is_most", "verdict"),
    [(300.0, False, "met"), (500.0, False, "missed"), (300.0, True, "missed")],
)
def test_a_target_is_met_where_the_median_is_on_the_right_side(
    bound: float, is_most: bool, verdict: str
) -> None:
    target = Target("a title", "ingest_28_keys", NNLAB, bound, MLFLOW, is_most=is_most)
    assert table.line(target, FOUND)[-1] == verdict


def test_a_ratio_around_1_is_no_difference() -> None:
    target = Target("a title", "ingest_28_keys", NNLAB, 0.5, ("nnlab", "points_per_second"))
    assert table.line(target, FOUND)[-1] == "no difference"


def test_slack_widens_a_bound_in_its_own_direction() -> None:
    least, most = Target("", "", NNLAB, 300.0), Target("", "", NNLAB, 3.0, is_most=True)
    assert (least.is_met(150.0, 2.0), least.is_met(149.0, 2.0)) == (True, False)
    assert (most.is_met(6.0, 2.0), most.is_met(6.1, 2.0)) == (True, False)
    assert not least.is_met(float("nan"))


def test_every_target_speaks_of_a_measurement_with_a_table_and_of_a_figure_with_a_column() -> None:
    assert {target.measurement for target in TARGETS} <= set(table.TITLES)
    assert {target.over[1] for target in TARGETS} <= set(table.COLUMNS)


def test_the_table_names_figures_losses_and_failures() -> None:
    written = table.section({"ingest_28_keys": FOUND})
    assert "| 28 keys a step, MLflow log_batch, SQLite | **400** [300 .. 500] x | >= 300 | met |" in written
    assert "| nnlab, SQLite | 4,000,000 |" in written
    assert "MLflow log_batch, SQLite loses the spike." in written
    assert "nnlab: synced at times." in written
    assert "Aim track(dict): cannot be installed." in written


def test_the_order_of_a_round_turns_round() -> None:
    rows, asked = {"a": Row("A"), "b": Row("B")}, []

    def turn(name: str) -> dict[str, float]:
        asked.append(name)
        return {"figure": 1.0}

    play(rows, {name: lambda name=name: turn(name) for name in rows}, 3)  # type: ignore[misc]
    assert asked == ["a", "b", "b", "a", "a", "b"]


def test_who_cannot_go_on_keeps_the_reason_and_gets_no_more_turns() -> None:
    rows, turns = {"a": Row("A")}, []

    def fail() -> dict[str, float]:
        turns.append("a")
        raise ContenderError("it came to a bad end")

    play(rows, {"a": fail}, 3)
    assert turns == ["a"]
    assert rows["a"].told() == {"title": "A", "failure": "it came to a bad end"}


def test_an_answer_without_spike_nan_or_points_is_told() -> None:
    whole = {"points": 1_000_000, "maximum": 1e4, "nans": 1}
    assert losses(whole, 1_000_000) == []
    assert losses({"points": 999_000, "maximum": 3.2, "nans": 0}, 1_000_000) == [
        "1,000 points",
        "the spike",
        "the NaN",
    ]
    assert losses({"points": 2000, "maximum": 1e4, "nans": 0, "shown": True}, 200_000) == []
