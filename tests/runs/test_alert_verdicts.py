"""Whether a fix helped: every rule, from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from runs.alerts.verdicts import Outcome, Pair, RunEnd, Verdict, judge
from runs.pages.run.alerts import SEED_COUNTS

SICK = (0.10, 0.12, 0.09, 0.11, 0.10)
HEALTHY = (0.95, 0.96, 0.94, 0.97, 0.95)


def end(score: float | None, **changes: Any) -> RunEnd:
    values: dict[str, Any] = {
        "run": 1,
        "status": "finished",
        "stop_reason": "end",
        "score": score,
        "baseline": 0.1,
    }
    return RunEnd(**{**values, **changes})


def judged(
    before: Sequence[float], after: Sequence[float], *, metric: str = "val_accuracy", still_open: int = 0
) -> Verdict:
    pairs = [
        Pair(seed, end(old), end(new), seed < still_open)
        for seed, (old, new) in enumerate(zip(before, after, strict=True))
    ]
    return judge(pairs, metric)


def test_a_clear_gain_without_the_alert_helped() -> None:
    verdict = judged(SICK, HEALTHY)
    assert verdict.outcome is Outcome.HELPED
    assert (verdict.total, verdict.done, verdict.counted, verdict.still_open) == (5, 5, 5, 0)
    assert verdict.before == pytest.approx(0.104)
    assert verdict.after == pytest.approx(0.954)
    assert verdict.difference is not None
    assert verdict.difference.mean == pytest.approx(0.85)


@pytest.mark.parametrize(("still_open", "outcome"), [(2, Outcome.HELPED), (3, Outcome.NO_HELP)])
def test_a_gain_counts_only_where_the_alert_is_gone_in_most_fixed_runs(
    still_open: int, outcome: Outcome
) -> None:
    verdict = judged(SICK, HEALTHY, still_open=still_open)
    assert verdict.outcome is outcome
    assert verdict.still_open == still_open
    assert (f"{still_open} of 5" in verdict.reason) is (outcome is Outcome.NO_HELP)


def test_half_the_fixed_runs_are_not_most() -> None:
    assert judged(SICK[:4], HEALTHY[:4], still_open=2).outcome is Outcome.NO_HELP


def test_a_clear_loss_made_it_worse() -> None:
    assert judged(HEALTHY, SICK).outcome is Outcome.WORSE


def test_lower_is_better_for_an_error() -> None:
    assert judged((2.0, 2.1, 1.9), (1.0, 1.1, 0.9), metric="val_rmse").outcome is Outcome.HELPED
    assert judged((1.0, 1.1, 0.9), (2.0, 2.1, 1.9), metric="val_rmse").outcome is Outcome.WORSE


@pytest.mark.parametrize(("share", "outcome"), [(0.03, Outcome.HELPED), (0.01, Outcome.NO_HELP)])
def test_an_error_has_to_fall_by_two_hundredths(share: float, outcome: Outcome) -> None:
    before = (10.0, 11.0, 12.0, 13.0)
    assert judged(before, [(1 - share) * value for value in before], metric="val_rmse").outcome is outcome


def test_a_sure_gain_of_less_than_a_point_did_not_help() -> None:
    after = [value + 0.004 for value in HEALTHY]
    assert judged(HEALTHY, after).outcome is Outcome.NO_HELP


def test_a_narrow_interval_around_nothing_did_not_help() -> None:
    after = [value + change for value, change in zip(HEALTHY, (0.002, -0.002, 0.001, -0.001, 0), strict=True)]
    assert judged(HEALTHY, after).outcome is Outcome.NO_HELP


def test_a_wide_interval_is_not_decided_and_says_how_many_seeds_it_wants() -> None:
    verdict = judged((0.5, 0.5, 0.5), (0.9, 0.5, 0.6))
    assert verdict.outcome is Outcome.UNDECIDED
    # sd 0.2082, mean 0.1667: t(7) 2.365 * 0.2082 / sqrt(8) = 0.174 is too wide, at 9 it is 0.160.
    assert verdict.more_seeds == 6
    assert "6 more seeds" in verdict.reason


def test_a_spread_that_no_number_of_seeds_resolves_is_said() -> None:
    verdict = judged((0.5, 0.5, 0.5), (0.9, 0.1, 0.512))
    assert (verdict.outcome, verdict.more_seeds) == (Outcome.UNDECIDED, 0)
    assert f"more than {SEED_COUNTS[-1]} seeds" in verdict.reason  # what can be asked for


def test_one_pair_decides_nothing() -> None:
    verdict = judged([0.1], [0.9])
    assert (verdict.outcome, verdict.more_seeds) == (Outcome.UNDECIDED, None)


def test_nothing_is_judged_before_all_pairs_are_over() -> None:
    over = [Pair(seed, end(0.1), end(0.9), False) for seed in range(3)]
    waiting = Pair(3, end(0.1), end(None, status="running", stop_reason=""), False)
    verdict = judge([*over, waiting], "val_accuracy")
    assert (verdict.outcome, verdict.done, verdict.total) == (Outcome.WAITING, 3, 4)
    assert verdict.reason == "3 of 4 pairs done."
    assert verdict.after == pytest.approx(0.9)


def test_where_both_runs_of_a_pair_diverged_nothing_has_changed() -> None:
    pairs = [
        Pair(
            seed,
            end(None, status="failed", stop_reason="diverged", baseline=78.3530425),
            end(None, status="failed", stop_reason="diverged", baseline=78.3530430),
            True,
        )
        for seed in range(3)
    ]
    verdict = judge(pairs, "val_rmse")
    assert verdict.outcome is Outcome.NO_HELP
    assert verdict.difference is not None
    assert (verdict.difference.low, verdict.difference.mean, verdict.difference.high) == (0.0, 0.0, 0.0)
    assert (verdict.before, verdict.after, verdict.diverged) == (78.3530425, 78.3530425, 6)


def test_a_diverged_run_counts_as_the_constant_guess_and_is_counted() -> None:
    diverged = end(0.93, status="failed", stop_reason="diverged")  # its last finite value is no result
    never_finite = end(None)
    pairs = [
        Pair(0, diverged, end(0.90), False),
        Pair(1, never_finite, end(0.92), False),
        Pair(2, end(0.12), end(0.91), False),
    ]
    verdict = judge(pairs, "val_accuracy")
    assert verdict.outcome is Outcome.HELPED
    assert verdict.before == pytest.approx((0.1 + 0.1 + 0.12) / 3)
    assert verdict.diverged == 2


@pytest.mark.parametrize(
    "lost",
    [
        end(0.5, status="cancelled", stop_reason="cancelled"),
        end(None, status="failed", stop_reason="error"),
        end(0.9, in_trash=True),
        end(0.9, status="running", stop_reason="", in_trash=True),
        end(0.9, status="failed", stop_reason="diverged", baseline=None),
    ],
    ids=["cancelled", "failed", "deleted", "deleted while it ran", "diverged without a guess"],
)
def test_a_pair_without_a_result_is_left_out_and_counted(lost: RunEnd) -> None:
    whole = [Pair(seed, end(0.1), end(0.9), False) for seed in range(3)]
    verdict = judge([*whole, Pair(3, end(0.1), lost, True)], "val_accuracy")
    assert (verdict.outcome, verdict.counted, verdict.left_out) == (Outcome.HELPED, 3, 1)
    assert verdict.still_open == 0


def test_a_pair_whose_data_were_replaced_between_its_runs_is_left_out() -> None:
    same = [Pair(seed, end(0.1, data="a"), end(0.9, data="a"), False) for seed in range(2)]
    unknown = Pair(2, end(0.1), end(0.9, data="b"), False)
    replaced = Pair(3, end(0.1, data="a"), end(0.2, data="b"), False)
    verdict = judge([*same, unknown, replaced], "val_accuracy")
    assert (verdict.counted, verdict.left_out) == (3, 1)
    assert verdict.after == pytest.approx(0.9)


def test_without_any_pair_that_counts_nothing_is_decided() -> None:
    lost = end(None, status="failed", stop_reason="error")
    verdict = judge([Pair(0, end(0.1), lost, False)], "val_accuracy")
    assert (verdict.outcome, verdict.difference, verdict.before) == (Outcome.UNDECIDED, None, None)
