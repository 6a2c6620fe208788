"""Verdicts: clear, partly so, none, equivalent, confounded; in one sentence with its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from scipy import stats

from nnlab.stats.differences import holm
from runs.questions.caveats import caveats
from runs.questions.cells import Budget, Cell
from runs.questions.outcomes import CellOutcome, Shown, Tuned
from runs.questions.verdicts import Kind, Terms, Verdict, judge

NOISE = (0.001, -0.002, 0.0, 0.002, -0.001)


def build_cell(depth: int, deviation: float | None = 0.004) -> Cell:
    label = f"{depth} layer{'s'[: depth > 1]}"
    return Cell(label, depth, "relu", 0.0, (16,) * depth, 5000 + depth, 4900, deviation)


def build_outcome(
    depth: int,
    values: Sequence[float | None],
    *,
    best: float = 0.01,
    rates: Mapping[float, Sequence[float | None]] | None = None,
    deviation: float | None = 0.004,
) -> CellOutcome:
    tried = rates or {0.001: [0.5, 0.52], 0.01: [0.9, 0.91], 0.1: [0.4, 0.43]}
    tuned = Tuned({rate: Shown(dict(enumerate(some))) for rate, some in tried.items()}, best)
    return CellOutcome(build_cell(depth, deviation), tuned, Shown(dict(enumerate(values, start=2))))


def around(mean: float, scale: float = 1.0, shift: int = 0) -> list[float]:
    noise = [*NOISE[shift:], *NOISE[:shift]]
    return [mean + scale * one for one in noise]


def terms(
    kind: str = "parameters", *, metric: str = "val_accuracy", margin: float | None = 0.01, rates: int = 3
) -> Terms:
    return Terms(Budget(kind, 5000), metric, ["depth"], rates, 2, margin, 3)


def judged(*cells: CellOutcome, **changes: object) -> Verdict:
    return judge(cells, terms(**changes))  # type: ignore[arg-type]


def test_a_clear_verdict_names_the_best_and_by_how_much_the_others_are_worse() -> None:
    found = judged(
        build_outcome(1, around(0.971)), build_outcome(2, around(0.965, shift=1)),
        build_outcome(4, around(0.95, shift=2)),
    )  # fmt: skip
    assert found.kind is Kind.CLEAR
    assert found.sentence == (
        "At 5,000 parameters ±0.4 %, 1 layer reaches 97.10 % validation accuracy [96.90, 97.30];"
        " deeper is not better: 2 layers 0.60 points lower [−0.94, −0.26],"
        " 4 layers 2.10 points lower [−2.38, −1.82]; 5 seeds, learning rate tuned over 3 values per network."
    )


def test_what_is_shallower_may_be_worse() -> None:
    found = judged(build_outcome(1, around(0.9)), build_outcome(3, around(0.95, shift=1)))
    assert "3 layers reach 95.00 % validation accuracy" in found.sentence
    assert "deeper is better: 1 layer 5.0" in found.sentence


def test_where_both_sides_are_worse_nothing_is_said_of_depth() -> None:
    cells = [
        build_outcome(depth, around(mean, shift=depth)) for depth, mean in ((1, 0.9), (2, 0.95), (4, 0.9))
    ]
    assert "; the others are worse: 1 layer 5.0" in judged(*cells).sentence


def test_no_difference_is_no_equality() -> None:
    found = judged(build_outcome(1, around(0.97, 10)), build_outcome(2, around(0.968, 10, shift=2)))
    assert found.kind is Kind.NONE
    assert "no difference was found: 1 layer reaches 97.0 %" in found.sentence
    assert "2 layers 0.2 points lower [−" in found.sentence


def test_an_interval_without_0_that_the_correction_takes_back_is_explained() -> None:
    spread = [0.97 + one for one in (0.0, 0.004, 0.008, -0.004, -0.008)]
    lower = [one - gap for one, gap in zip(spread, (0.002, 0.004, 0.006, 0.015, 0.013), strict=True)]
    lowest = [one - gap for one, gap in zip(spread, (0.0, 0.03, -0.02, 0.04, 0.005), strict=True)]
    found = judged(build_outcome(1, spread), build_outcome(2, lower), build_outcome(4, lowest))
    assert found.kind is Kind.NONE
    assert "no difference is clear after correction for 3 comparisons: 1 layer" in found.sentence
    assert found.pairs[0].verdict == "not clear after correction"


def test_networks_that_differ_by_less_than_matters_are_equally_good() -> None:
    found = judged(build_outcome(1, around(0.97)), build_outcome(2, around(0.969, shift=1)))
    assert found.kind is Kind.EQUIVALENT
    assert "the networks are equally good within ±1 point: 1 layer reaches" in found.sentence


def test_without_a_margin_nothing_is_called_equally_good() -> None:
    cells = build_outcome(1, around(0.97)), build_outcome(2, around(0.97, shift=1))
    assert judged(*cells, margin=None).kind is Kind.NONE


def test_a_mixed_verdict_says_what_is_not_known() -> None:
    found = judged(
        build_outcome(1, around(0.97, 8)), build_outcome(2, around(0.967, 8, shift=2)),
        build_outcome(4, around(0.8, 8, shift=1)),
    )  # fmt: skip
    assert found.kind is Kind.PARTLY
    assert "deeper is not better: 4 layers 17" in found.sentence
    assert "not told apart from it: 2 layers 0.3" in found.sentence


def test_of_a_loss_the_lower_is_better() -> None:
    cells = build_outcome(1, around(0.2)), build_outcome(2, around(0.1, shift=1))
    found = judged(*cells, metric="val_loss", margin=None)
    assert found.best == "2 layers"
    assert "2 layers have validation loss 0.1000 [0.0980, 0.1020]" in found.sentence
    assert "1 layer 0.1000 higher [0.0966, 0.1034]" in found.sentence


def test_the_intervals_and_p_values_are_those_of_scipy() -> None:
    series = [around(0.971), around(0.969, 2, shift=1), around(0.972, 3, shift=2)]
    found = judged(*(build_outcome(depth, some) for depth, some in zip((1, 2, 3), series, strict=True)))
    plain = [stats.ttest_rel(series[two], series[one]).pvalue for one, two in ((0, 1), (0, 2), (1, 2))]
    assert [pair.compared.p_value for pair in found.pairs] == pytest.approx(holm(plain))
    paired = stats.ttest_rel(series[1], series[0]).confidence_interval()
    assert found.pairs[0].compared.difference is not None
    assert found.pairs[0].compared.difference.low == pytest.approx(paired.low)


def test_a_rate_at_the_edge_confounds_the_sentence_itself() -> None:
    cells = build_outcome(1, around(0.97)), build_outcome(2, around(0.95, shift=1), best=0.1)
    why = "because the best learning rate of 2 layers is at the edge of what was tried."
    assert judged(*cells).sentence.endswith(f"; this may be confounded, {why}")
    assert "at the edge of what was tried; the answer may be confounded" in caveats(cells, terms())[0]


def test_an_untuned_rate_confounds_it_too() -> None:
    once = {0.01: [0.9]}
    cells = build_outcome(1, around(0.97), rates=once), build_outcome(2, around(0.95, shift=1), rates=once)
    assert "learning rate not tuned; this may be confounded by that." in judged(*cells, rates=1).sentence
    assert "was not tuned" in caveats(cells, terms(rates=1))[0]


def test_equal_widths_are_called_unequal_sizes() -> None:
    cells = [build_outcome(depth, around(0.97), deviation=None) for depth in (1, 2)]
    sentence = judged(*cells, kind="width").sentence
    assert sentence.startswith(
        "At 5,000 units in every layer, which is no equal size (5,001 to 5,002 parameters)"
    )
    assert "unequal size" in " ".join(caveats(cells, terms("width")))


def test_a_network_that_never_ends_finite_is_named_and_not_compared() -> None:
    found = judged(
        build_outcome(1, around(0.97)), build_outcome(2, around(0.95, shift=1)), build_outcome(4, [None] * 5)
    )
    assert "4 layers never reached a finite result" in found.sentence
    assert [pair.verdict for pair in found.pairs] == ["differ", "no result", "no result"]


def test_of_less_than_two_results_there_is_no_verdict() -> None:
    found = judged(build_outcome(1, around(0.97)), build_outcome(2, []))
    assert (found.kind, found.best) == (Kind.UNKNOWN, "")
    assert found.sentence == "No verdict: of 2 networks only 1 layer has one."


def test_one_seed_has_no_interval_and_no_verdict_over_it() -> None:
    found = judged(build_outcome(1, [0.9]), build_outcome(2, [0.8]))
    assert found.kind is Kind.NONE
    assert "(one seed: no interval)" in found.sentence
    assert found.pairs[0].verdict == "too few seeds"


def test_diverged_runs_few_seeds_and_noise_of_tuning_are_told() -> None:
    noisy: dict[float, list[float | None]] = {0.001: [0.9, 0.8], 0.01: [0.85, 0.9], 0.1: [None, 0.1]}
    cells = build_outcome(1, [0.9, None, 0.91], rates=noisy), build_outcome(2, [0.8, 0.81, 0.8])
    told = " ".join(caveats(cells, terms()))
    assert "1 of 3 runs of 1 layer diverged and is left out of its mean, which flatters it" in told
    assert "2 seeds give wide intervals" in told
    assert "with 2 seeds a rate, the best of 1 layer could not be told apart from another" in told
    assert "1 run diverged while tuning" in told


def test_rates_that_all_do_the_same_are_told() -> None:
    flat: dict[float, list[float | None]] = {0.001: [0.9, 0.9], 0.01: [0.9, 0.9], 0.1: [0.9, 0.9]}
    cells = build_outcome(1, around(0.97), rates=flat), build_outcome(2, around(0.96))
    assert "All learning rates gave 1 layer the same score" in " ".join(caveats(cells, terms()))


def test_what_is_equally_good_is_told_beside_what_is_open() -> None:
    found = judged(
        build_outcome(1, around(0.97)), build_outcome(2, around(0.969, shift=1)),
        build_outcome(4, around(0.965, 10, shift=2)),
    )  # fmt: skip
    assert found.kind is Kind.NONE
    assert ", 4 layers 0.5 points lower [" in found.sentence
    assert "; equally good within ±1 point: 2 layers 0.10 points lower [" in found.sentence
