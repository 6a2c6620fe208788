"""Importance: against published tables, against shares known by construction, and what cannot be said."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlab.stats.designs import read_design
from nnlab.stats.errors import StatsError
from nnlab.stats.forest import Knobs, grow, predict, variances
from nnlab.stats.importance import Importance, importance

Row = dict[str, Any]

# Length of guinea pigs' teeth by way and dose of vitamin C: Crampton 1947, as in R's data set ToothGrowth.
TEETH = {
    ("VC", 0.5): (4.2, 11.5, 7.3, 5.8, 6.4, 10, 11.2, 11.2, 5.2, 7),
    ("VC", 1.0): (16.5, 16.5, 15.2, 17.3, 22.5, 17.3, 13.6, 14.5, 18.8, 15.5),
    ("VC", 2.0): (23.6, 18.5, 33.9, 25.5, 26.4, 32.5, 26.7, 21.5, 23.3, 29.5),
    ("OJ", 0.5): (15.2, 21.5, 17.6, 9.7, 14.5, 10, 8.2, 9.4, 16.5, 9.7),
    ("OJ", 1.0): (19.7, 23.3, 23.6, 26.4, 20, 25.2, 25.8, 21.2, 14.5, 27.3),
    ("OJ", 2.0): (25.5, 26.4, 22.4, 24.5, 24.8, 30.9, 26.4, 27.3, 29.4, 23),
}


def grid(
    levels: Mapping[str, Sequence[Any]], seeds: int, value: Callable[[Row], float], noise: float = 0.0
) -> list[Row]:
    """Run every combination, with noise between the seeds."""
    rng = np.random.default_rng(4)
    settings = [dict(zip(levels, chosen, strict=True)) for chosen in itertools.product(*levels.values())]
    return [
        row | {"seed": seed, "score": value(row) + noise * float(rng.standard_normal())}
        for row in settings
        for seed in range(seeds)
    ]


def explain(rows: Sequence[Row], *, higher: bool = True) -> Importance:
    knobs = [key for key in rows[0] if key not in {"seed", "score"}]
    return importance(rows, knobs, "seed", "score", higher=higher)


def shares(found: Importance) -> dict[tuple[str, ...], float]:
    return {one.knobs: one.share for one in found.knobs + found.pairs}


def test_a_full_grid_gives_the_omega_squared_of_the_published_table() -> None:
    rows = [
        {"way": way, "dose": dose, "seed": seed, "score": length}
        for (way, dose), lengths in TEETH.items()
        for seed, length in enumerate(lengths)
    ]
    found = explain(rows)
    # The table that R prints for it: sums of squares with 1, 2, 2 and 54 degrees of freedom.
    squares, error = {("way",): (205.35, 1), ("dose",): (2426.43, 2), ("way", "dose"): (108.32, 2)}, 712.11
    mean_error = error / 54
    total = sum(square for square, _ in squares.values()) + error + mean_error
    expected = {term: (square - df * mean_error) / total for term, (square, df) in squares.items()}
    assert shares(found) == pytest.approx(expected, abs=1e-5)
    assert found.exact
    assert found.rest == found.noise == pytest.approx(60 * mean_error / total, abs=1e-5)
    assert found.higher == pytest.approx(0, abs=1e-9)


def test_shares_are_those_of_the_formula_where_there_is_no_noise() -> None:
    levels = {"depth": (-1, 1), "width": (-1, 1), "dropout": (-1, 1)}
    rows = grid(levels, 2, lambda r: 3 * r["depth"] + 4 * r["depth"] * r["width"] + 5 * math.prod(r.values()))
    found = explain(rows)
    by_term = shares(found)
    assert by_term["depth",] == pytest.approx(9 / 50)
    assert by_term["depth", "width"] == pytest.approx(16 / 50)
    assert found.higher == pytest.approx(25 / 50)
    assert found.rest == 0
    assert sum(by_term.values()) == pytest.approx(25 / 50)
    assert found.knobs[0].knobs == ("depth",)


def test_one_full_tree_splits_a_full_grid_as_analysis_of_variance_does() -> None:
    rng = np.random.default_rng(3)
    codes = np.array(list(itertools.product(range(3), range(2), range(4))))
    values = rng.standard_normal(len(codes))
    tree = grow(Knobs(codes, (3, 2, 4), (True, False, False)), values, np.ones(len(codes)))
    np.testing.assert_allclose(predict(tree, codes), values)
    whole, parts = variances(tree)
    cube = values.reshape(3, 2, 4) - values.mean()
    assert whole == pytest.approx(values.var())
    assert parts[0,] == pytest.approx(cube.mean(axis=(1, 2)).var())
    pair = cube.mean(axis=0)
    alone = pair.mean(axis=0).var() + pair.mean(axis=1).var()
    assert parts[1, 2] == pytest.approx(pair.var() - alone)


def random_search(count: int, noise: float = 0.05) -> list[Row]:
    """Draw knobs of which the learning rate explains 4/5 and the activation 1/5, the batch size nothing."""
    rng = np.random.default_rng(8)
    rows = []
    for seed in range(count):
        rate, activation = rng.uniform(-1, 1), rng.choice(["relu", "tanh"])
        score = 2 * math.sqrt(3) * rate + (1 if activation == "relu" else -1) + noise * rng.standard_normal()
        row = {
            "rate": 10 ** (2 * rate),
            "activation": str(activation),
            "batch": int(rng.choice([16, 32, 64])),
        }
        rows.append(row | {"seed": seed, "score": 0.5 * score})
    return rows


def test_a_random_search_finds_the_shares_that_it_was_made_with() -> None:
    found = explain(random_search(200))
    by_term = shares(found)
    assert not found.exact
    assert by_term["rate",] == pytest.approx(0.8, abs=0.06)
    assert by_term["activation",] == pytest.approx(0.2, abs=0.06)
    assert by_term["batch",] < 0.01
    assert found.noise is None
    for one in found.knobs:
        assert 0 <= one.low <= one.share <= one.high <= 1


@pytest.mark.parametrize("unit", [1e-250, 1e250])
def test_the_unit_of_values_does_not_change_the_shares(unit: float) -> None:
    rows = random_search(40)
    scaled = [{**row, "score": unit * row["score"]} for row in rows]
    assert shares(explain(scaled)) == pytest.approx(shares(explain(rows)), abs=1e-9)


def test_intervals_hold_the_true_share_about_as_often_as_they_say() -> None:
    """Two knobs, much noise and four seeds: the truth lies inside in most of 60 repetitions."""
    rng, inside = np.random.default_rng(11), 0
    for _ in range(60):
        rows = grid({"depth": (-1, 1), "width": (-1, 0, 1)}, 4, lambda r: float(r["depth"]))
        rows = [row | {"score": row["score"] + 0.7 * rng.standard_normal()} for row in rows]
        [depth] = [one for one in explain(rows).knobs if one.knobs == ("depth",)]
        inside += depth.low <= 1 / 1.49 <= depth.high
    assert inside >= 54


LEVELS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from("abc"), st.integers(0, 1), st.integers(0, 2), st.floats(-5, 5)
    ),
    min_size=14,
    max_size=40,
    unique_by=lambda row: row[4],
)


@settings(max_examples=25, deadline=None)
@given(LEVELS, st.randoms(use_true_random=False))
def test_neither_the_order_of_runs_nor_the_names_of_levels_matter(runs: Any, shuffler: Any) -> None:
    rows = [dict(zip(("depth", "activation", "drop", "seed", "score"), run, strict=True)) for run in runs]
    renamed = [
        row
        | {
            "activation": {"a": "zebra", "b": "yak", "c": "ant"}[row["activation"]],
            "depth": 7 ** row["depth"],
        }
        for row in rows
    ]
    shuffler.shuffle(renamed)
    results: list[Importance | str] = []
    for each in (rows, renamed):
        try:
            results.append(explain(each))
        except StatsError as error:
            results.append(str(error))
    one, other = results
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
    else:
        assert shares(one) == pytest.approx(shares(other), abs=1e-9)
        assert [s.low for s in one.knobs] == pytest.approx([s.low for s in other.knobs], abs=1e-9)


def test_diverged_runs_share_the_worst_rank_and_the_method_says_so() -> None:
    rows = grid({"rate": (0.1, 1.0, 9.0), "depth": (1, 2)}, 3, lambda r: r["depth"] - r["rate"], noise=0.1)
    rows = [row | {"score": math.nan if row["rate"] == 9.0 else row["score"]} for row in rows]
    found = explain(rows)
    assert (found.ranked, found.diverged, found.knobs[0].knobs) == (True, 6, ("rate",))
    assert "6 runs diverged, so ranks count" in found.method
    lowest = explain([row | {"score": -1e6 if math.isnan(row["score"]) else row["score"]} for row in rows])
    assert shares(lowest)["rate",] > shares(found)["rate",]  # one value far off would hide the rest


def test_a_diverged_run_ranks_last_whichever_way_is_better() -> None:
    rows = [{"depth": depth, "seed": 0, "score": score} for depth, score in ((1, 0.2), (2, None), (3, 0.9))]
    for higher, ranks in ((True, [2, 3, 1]), (False, [1, 3, 2])):
        design = read_design(rows, ["depth"], "seed", "score", higher=higher)
        assert [float(value[0]) for value in design.values] == ranks


def test_knobs_that_always_change_together_count_as_one() -> None:
    pairs = [{"depth": 1, "width": 64}, {"depth": 2, "width": 32}, {"depth": 4, "width": 16}]
    rows = [
        {**pair, "activation": activation, "seed": seed, "score": pair["depth"] + 0.1 * seed}
        for pair in pairs
        for activation in ("relu", "tanh")
        for seed in range(2)
    ]
    found = explain(rows)
    assert found.together == (("depth", "width"),)
    assert found.knobs[0].knobs == ("depth with width",)
    with pytest.raises(StatsError, match="depth and width always change together"):
        explain([row for row in rows if row["activation"] == "relu"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no run has ended"),
        (grid({"depth": (1, 2), "width": (5,)}, 2, lambda r: r["depth"]), "only depth was varied"),
        (grid({"depth": (1, 2), "width": (5, 6)}, 2, lambda r: 1.0), "the same value"),
        (grid({"depth": (1, 2), "width": (5, 6)}, 1, lambda r: r["depth"]), "4 configurations are too few"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_reason(rows: list[Row], said: str) -> None:
    with pytest.raises(StatsError, match=said):
        importance(rows, ["depth", "width"], "seed", "score", higher=True)


def test_pure_noise_explains_nothing() -> None:
    rng = np.random.default_rng(2)
    rows = [row | {"score": rng.standard_normal()} for row in random_search(40)]
    with pytest.raises(StatsError, match="no better than their mean"):
        explain(rows)


def test_a_grid_with_a_hole_still_ranks_its_knobs() -> None:
    levels = {"depth": (1, 2, 3), "width": (1, 2), "dropout": (0.0, 0.5)}
    rows = grid(levels, 3, lambda r: 3 * r["depth"] + r["width"], noise=0.2)
    found = explain([row for row in rows if (row["depth"], row["width"], row["dropout"]) != (2, 1, 0.5)])
    assert not found.exact
    assert [one.knobs[0] for one in found.knobs] == ["depth", "width", "dropout"]
    assert found.noise is not None
    assert found.noise < 0.05
