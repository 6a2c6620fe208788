"""Factor effects: against a computation that spells out section by section what counts."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlab.stats.errors import StatsError
from nnlab.stats.factors import FactorEffect, LevelEffect, factor_effects
from nnlab.stats.intervals import mean_interval

Row = dict[str, object]
Design = list[tuple[tuple[int, str, float, int], float | None]]
METRICS = st.floats(-10, 10, width=32) | st.floats(0, 1) | st.sampled_from([None, math.nan, math.inf])
CELLS = st.tuples(
    st.integers(1, 3), st.sampled_from(["relu", "tanh"]), st.sampled_from([0.0, 0.5]), st.integers(0, 2)
)
RUNS = st.tuples(CELLS, METRICS)
# Full designs too: in sparse ones no setting is shared, and nothing is compared.
DESIGNS = st.lists(RUNS, min_size=1) | st.lists(RUNS, min_size=40, max_size=80)


@dataclass
class Grid:
    """A whole sweep: metric = 10 * depth + width + an effect of the seed."""

    depths: tuple[int, ...] = (1, 2)
    widths: tuple[int, ...] = (8, 16, 32)
    seeds: tuple[int, ...] = (0, 1)

    def rows(self) -> list[Row]:
        return [
            {"depth": depth, "width": width, "seed": seed, "loss": 10.0 * depth + width + 0.5 * seed}
            for depth, width, seed in itertools.product(self.depths, self.widths, self.seeds)
        ]


def depth_effect(rows: list[Row]) -> FactorEffect:
    return factor_effects(rows, "depth", ["width"], "seed", "loss")


def rows_of(design: Design) -> list[Row]:
    return [
        {"depth": depth, "activation": activation, "dropout": dropout, "seed": seed, "loss": loss}
        for (depth, activation, dropout, seed), loss in design
    ]


def finished(row: Row) -> bool:
    return isinstance(row["loss"], float) and math.isfinite(row["loss"])


def values_of(rows: list[Row], depth: object, setting: object, seed: object) -> list[float]:
    return [
        row["loss"]
        for row in rows
        if (row["depth"], (row["activation"], row["dropout"]), row["seed"]) == (depth, setting, seed)
        and isinstance(row["loss"], float)
        and math.isfinite(row["loss"])
    ]


def means_by_hand(rows: list[Row]) -> dict[object, list[float]]:
    """The means of each depth, one a seed, over the settings that every depth has in that seed."""
    depths = {row["depth"] for row in rows if finished(row)}
    settings = sorted({(str(row["activation"]), row["dropout"]) for row in rows}, key=str)
    means: dict[object, list[float]] = {depth: [] for depth in {row["depth"] for row in rows}}
    for seed in range(3):
        shared = [s for s in settings if all(values_of(rows, depth, s, seed) for depth in depths)]
        if shared and depths:
            for depth in depths:
                cells = [values_of(rows, depth, setting, seed) for setting in shared]
                means[depth].append(sum(sum(cell) / len(cell) for cell in cells) / len(cells))
    return means


@given(DESIGNS)
def test_random_designs_give_what_the_rule_says(
    design: Design,
) -> None:
    rows = rows_of(design)
    got = factor_effects(rows, "depth", ["activation", "dropout"], "seed", "loss")
    means = means_by_hand(rows)

    assert [level.level for level in got.levels] == sorted({row["depth"] for row in rows}, key=str)
    for level in got.levels:
        mine = [row for row in rows if row["depth"] == level.level]
        assert list(level.runs) == [row["loss"] for row in mine if finished(row)]
        assert level.diverged == len(mine) - len(level.runs)
        assert level.n == len(means[level.level])
        if level.n == 0:
            assert (level.mean, level.low, level.high) == (None, None, None)
            continue
        expected = mean_interval(means[level.level])
        assert level.mean == pytest.approx(expected.mean, abs=1e-9)
        assert level.low == pytest.approx(expected.low, abs=1e-9)
        assert level.high == pytest.approx(expected.high, abs=1e-9)


@given(DESIGNS)
def test_the_caption_counts_what_is_there(
    design: Design,
) -> None:
    rows = rows_of(design)
    got = factor_effects(rows, "depth", ["activation", "dropout"], "seed", "loss")
    names = ("depth", "activation", "dropout")
    settings = {(row["activation"], row["dropout"]) for row in rows}
    full = {tuple(row[name] for name in names) for row in rows if finished(row)}
    runs = {tuple(row[name] for name in (*names, "seed")) for row in rows if finished(row)}

    assert got.cells == len(got.levels) * len(settings)
    assert got.missing == got.cells - len(full)
    assert got.balanced == (len(runs) == got.cells * len({row["seed"] for row in rows}))
    assert got.caption.startswith("balanced" if got.balanced else "unbalanced")
    assert ("diverged" in got.caption) == any(not finished(row) for row in rows)


def test_a_full_grid_is_balanced() -> None:
    got = depth_effect(Grid().rows())
    assert (got.balanced, got.cells, got.missing, got.compared) == (True, 6, 0, 3)
    assert got.caption == "balanced: 6 cells × 2 seeds"
    one, two = got.levels
    assert one.mean == pytest.approx(10 + 56 / 3 + 0.25)
    assert one.mean is not None
    assert two.mean == pytest.approx(one.mean + 10)
    reach = 12.706204736 * np.std([0, 0.5], ddof=1) / math.sqrt(2)
    assert (one.low, one.high) == pytest.approx((one.mean - reach, one.mean + reach))
    assert (one.n, len(one.runs)) == (2, 6)


def test_a_hole_in_the_sweep_is_no_effect() -> None:
    rows = [row for row in Grid().rows() if (row["depth"], row["width"]) != (1, 32)]
    got = depth_effect(rows)
    one, two = got.levels
    assert one.mean is not None
    assert two.mean == pytest.approx(one.mean + 10)
    assert len(two.runs) == 6
    assert got.caption == (
        "unbalanced: 1 of 6 cells missing; means over 2 of 3 settings of the others, 8 of 10 finished runs"
    )


def test_a_missing_seed_takes_its_setting_out_for_that_seed_only() -> None:
    rows = Grid().rows()
    rows.remove({"depth": 1, "width": 32, "seed": 1, "loss": 42.5})
    got = depth_effect(rows)
    assert got.caption == (
        "unbalanced: 1 of 12 runs missing; means over 3 of 3 settings of the others, 10 of 11 finished runs;"
        " not every seed has all of these settings"
    )
    assert [level.mean for level in got.levels] == pytest.approx([(86 / 3 + 22.5) / 2, (116 / 3 + 32.5) / 2])


def test_diverged_runs_are_counted_and_said() -> None:
    rows = Grid().rows()
    rows[0]["loss"], rows[-1]["loss"] = math.nan, None
    got = depth_effect(rows)
    assert [level.diverged for level in got.levels] == [1, 1]
    assert not got.balanced
    assert got.counted == 8
    assert got.caption == (
        "unbalanced: 2 of 12 runs missing; means over 3 of 3 settings of the others, 8 of 10 finished runs;"
        " not every seed has all of these settings; 2 of 12 runs diverged, not in the means"
    )


def test_a_level_that_always_diverges_does_not_hide_the_others() -> None:
    rows = Grid(depths=(1, 2, 3)).rows()
    for row in rows:
        if row["depth"] == 3:
            row["loss"] = math.inf
    got = depth_effect(rows)
    assert got.levels[2] == LevelEffect(3, None, None, None, 0, (), 6)
    assert [level.n for level in got.levels] == [2, 2, 0]
    assert got.caption == "unbalanced: 3 of 9 cells missing; 6 of 18 runs diverged, not in the means"


def test_without_a_shared_setting_there_are_dots_but_no_means() -> None:
    rows: list[Row] = [
        {"depth": 1, "width": 8, "seed": 0, "loss": 1.0},
        {"depth": 2, "width": 16, "seed": 0, "loss": 2.0},
    ]
    got = depth_effect(rows)
    assert [(level.mean, level.runs) for level in got.levels] == [(None, (1.0,)), (None, (2.0,))]
    assert "no setting of the other factors was run at every level" in got.caption


def test_one_seed_has_means_and_no_interval() -> None:
    got = depth_effect(Grid(seeds=(4,)).rows())
    assert got.caption == "balanced: 6 cells × 1 seed"
    assert [(level.n, level.low, level.high) for level in got.levels] == [(1, None, None)] * 2


def test_a_run_made_twice_counts_once() -> None:
    rows = Grid().rows()
    got = depth_effect([*rows, {**rows[0], "loss": 20.0}])
    assert got.balanced
    assert got.levels[0].mean == pytest.approx((19 + 26 + 42 + 18.5 + 26.5 + 42.5) / 6)
    assert len(got.levels[0].runs) == 7


# Treatments of kidney stones, successes of all: Charig and others 1986, the known case of Simpson's paradox.
STONES = {
    ("open", "small"): (81, 87),
    ("open", "large"): (192, 263),
    ("puncture", "small"): (234, 270),
    ("puncture", "large"): (55, 80),
}


def test_the_published_paradox_is_told_and_not_fallen_for() -> None:
    rows: list[Row] = [
        {"treatment": treatment, "size": size, "seed": 0, "success": float(place < successes)}
        for (treatment, size), (successes, count) in STONES.items()
        for place in range(count)
    ]
    got = factor_effects(rows, "treatment", ["size"], "seed", "success")
    assert [level.plain for level in got.levels] == pytest.approx([273 / 350, 289 / 350])  # 78 % and 83 %
    rates = {key: successes / count for key, (successes, count) in STONES.items()}
    expected = [(rates[name, "small"] + rates[name, "large"]) / 2 for name in ("open", "puncture")]
    assert [level.mean for level in got.levels] == pytest.approx(expected)  # 83 % and 78 %
    assert got.confounded is not None
    assert (got.confounded.low, got.confounded.high) == ("open", "puncture")
    assert got.confounded.plain == pytest.approx(16 / 350)
    assert got.confounded.matched.mean == pytest.approx(expected[1] - expected[0])


@given(DESIGNS)
def test_both_readings_agree_where_the_plain_difference_lies_in_the_matched_interval(design: Design) -> None:
    rows = rows_of(design)
    got = factor_effects(rows, "depth", ["activation", "dropout"], "seed", "loss")
    plain = {level.level: np.mean(level.runs) for level in got.levels if level.n}
    if len(plain) < 2:
        assert got.confounded is None
    elif got.confounded is not None:
        matched, apart = got.confounded.matched, max(plain.values()) - min(plain.values())
        assert got.confounded.plain == pytest.approx(apart)
        means = means_by_hand(rows)
        pairs = zip(means[got.confounded.low], means[got.confounded.high], strict=True)
        expected = mean_interval([high - low for low, high in pairs])
        assert matched.mean == pytest.approx(expected.mean, abs=1e-9)
        if matched.low is None or matched.high is None:
            assert matched.mean <= 0
        else:
            assert not matched.low <= apart <= matched.high


def test_a_balanced_grid_has_one_reading() -> None:
    assert depth_effect(Grid().rows()).confounded is None


def test_levels_run_with_other_widths_are_told() -> None:
    """Depth 1 was run with the widths that do worse more often, so plain means exaggerate what depth does."""
    rows = Grid(widths=(8, 800)).rows()
    more: list[Row] = [
        {"depth": 2, "width": 800, "seed": seed, "loss": 820 + 0.5 * seed} for seed in range(2, 9)
    ]
    got = depth_effect([*rows, *more])
    assert got.confounded is None  # all that differ by exactly 10 have no interval to lie outside of
    rows[0]["loss"] = 18.25
    found = depth_effect([*rows, *more]).confounded
    assert found is not None
    assert found.plain > 200
    assert found.matched.sentence() == "9.9 higher [9.1, 10.7], 2 seeds"


def test_levels_are_in_order_of_their_value() -> None:
    def levels(values: list[object]) -> list[object]:
        rows: list[Row] = [{"x": value, "seed": 0, "loss": 0.0} for value in values]
        return [level.level for level in factor_effects(rows, "x", [], "seed", "loss").levels]

    assert levels([16, 8, 128]) == [8, 16, 128]
    assert levels(["tanh", "relu"]) == ["relu", "tanh"]
    assert levels([[64, 8], [8], [16, 4]]) == [(8,), (16, 4), (64, 8)]
    assert levels(["a", None, 0.5, (1,)]) == [0.5, None, "a", (1,)]


def test_what_cannot_be_compared_is_refused() -> None:
    row: Row = {"depth": 1, "width": 8, "seed": 0, "loss": 1.0}
    with pytest.raises(StatsError, match="at least one run, got none"):
        depth_effect([])
    with pytest.raises(StatsError, match="got no width"):
        depth_effect([{key: value for key, value in row.items() if key != "width"}])
    with pytest.raises(StatsError, match="number or None as loss, got 'low'"):
        depth_effect([{**row, "loss": "low"}])
    with pytest.raises(StatsError, match="expected depth to be a number, a text"):
        depth_effect([{**row, "depth": math.nan}])
    with pytest.raises(StatsError, match="expected width to be a number, a text"):
        depth_effect([{**row, "width": {"a": 1}}])
