"""The judge of the alerts' benchmark, on alarms and outcomes made by hand."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nnlab.engine.records import Ending, Evaluation, NonFinite, Records, Sample
from nnlab.health.events import AlertEvent, EventKind, Severity
from tests.benchmarks.health import hard, suites, table, traces
from tests.benchmarks.health.alarms import Alarm, first_that_stays, highest, of_events
from tests.benchmarks.health.intervals import clustered, wilson
from tests.benchmarks.health.judge import Judged, details, static, summary
from tests.benchmarks.health.outcomes import HEALTHY, MID, SICK, bounds_from, by_bounds, is_worse, scores
from tests.benchmarks.health.repair import helped, work
from tests.benchmarks.health.targets import Target
from tests.benchmarks.health.training import checked
from tests.health.builders import build_info

if TYPE_CHECKING:
    from pathlib import Path


def event(kind: str, step: int, severity: str = "warning", check: str = "plateau") -> AlertEvent:
    return AlertEvent(
        kind=EventKind(kind),
        check=check,
        severity=Severity(severity),
        step=step,
        first_step=step,
        layers=(),
        layer_names=(),
        value=0.0,
        threshold=0.0,
        title="",
        cause="",
        evidence={},
        advice=(),
        thresholds_hash="",
    )


def run(outcome: str, *alarms: Alarm, case: str = "a", accepts: tuple[str, ...] = ("plateau",)) -> Judged:
    return Judged(case, "A", 0, outcome, "slow", accepts, steps=100, epoch_steps=10, alarms=alarms)


def test_the_readme_tells_what_the_alerts_were_measured_to_do() -> None:
    text = table.README.read_text(encoding="utf-8")
    assert table.section(table.read_results()) == text.split(table.START)[1].split(table.END)[0]


def test_an_alarm_counts_since_it_is_at_warning_without_a_break() -> None:
    told = [event("open", 5, "info"), event("update", 9), event("update", 12, "info"), event("update", 20)]
    assert of_events(told) == [Alarm("plateau", 20, stays=True, warned=True)]


def test_an_alarm_that_resolved_or_only_informs_does_not_stay() -> None:
    resolved = of_events([event("open", 5), event("resolve", 8)])
    quiet = of_events([event("open", 5, "info")])
    assert [alarm.stays for alarm in (*resolved, *quiet)] == [False, False]
    assert [alarm.warned for alarm in (*resolved, *quiet)] == [True, False]


def test_an_opening_after_a_resolve_is_a_flap() -> None:
    told = [event("open", 5), event("resolve", 8), event("update", 11), event("update", 12)]
    assert of_events(told) == [Alarm("plateau", 11, reopened=1)]


def test_the_highest_alarm_is_that_nearest_to_the_root_and_the_first_the_earliest() -> None:
    told = of_events([event("open", 3), event("open", 7, check="vanishing")])
    assert [highest(told), first_that_stays(told)] == [Alarm("vanishing", 7), Alarm("plateau", 3)]


def test_recall_counts_sick_runs_false_alarms_healthy_ones_and_nobody_those_between() -> None:
    alarm = Alarm("plateau", 20)
    runs = [run(SICK, alarm), run(SICK), run(HEALTHY, alarm), run(HEALTHY), run(HEALTHY), run(MID, alarm)]
    told = summary(runs)
    assert told["recall"][0] == 0.5
    assert told["false_alarms"][0] == pytest.approx(1 / 3)
    assert told["precision"][0] == 0.5
    assert told["f1"][0] == 0.5


def test_the_time_to_detect_is_the_median_of_all_sick_runs_and_a_missed_one_is_later_than_any() -> None:
    early, late = run(SICK, Alarm("plateau", 20)), run(SICK, Alarm("plateau", 80))
    told = summary([early, late, run(SICK)])
    assert (told["median_share"], told["median_epoch"], told["median_step"]) == (0.8, 8, 80)
    assert summary([early, run(SICK), run(SICK)])["median_share"] is None


def test_an_alarm_that_passed_is_no_detection_and_told_apart() -> None:
    passed = Alarm("plateau", 20, stays=False)
    assert summary([run(SICK, passed)])["recall"][0] == 0.0
    assert details([run(HEALTHY, passed), run(HEALTHY)])["passing_alarms"] == 1
    assert details([run(HEALTHY, passed), run(HEALTHY)])["alerts_per_healthy_run"] == 0.5


def test_the_cause_is_right_where_the_highest_alarm_is_accepted() -> None:
    runs = [run(SICK, Alarm("vanishing", 3), Alarm("plateau", 3)), run(SICK, Alarm("plateau", 3))]
    assert details(runs)["cause_right"] == [1, 2]


def test_what_shows_before_training_counts_by_what_was_put_in() -> None:
    told, late = Alarm("symmetry", 0), Alarm("symmetry", 9)
    runs = [run(SICK, told, accepts=("symmetry",)), run(SICK, late, accepts=("symmetry",)),
            run(HEALTHY, told, accepts=("symmetry",)), run(HEALTHY, told)]  # fmt: skip
    assert static(runs) == {"recall": [1, 2], "precision": [2, 3]}


def test_a_share_of_nothing_is_no_number() -> None:
    assert isnan(summary([run(HEALTHY)])["recall"][0])


def test_a_share_that_is_alike_in_all_configurations_has_the_interval_of_as_many_runs() -> None:
    runs = [run(HEALTHY, case=name) for name in "abcde" for _ in range(10)]
    assert summary(runs)["false_alarms"] == (0.0, *wilson(0, 5))


def of_kind(kind: str, *rules: str, outcome: str = SICK, accepts: tuple[str, ...] = ()) -> Judged:
    alarms = [Alarm(rule, 1) for rule in rules]
    return replace(run(outcome, *alarms, accepts=accepts), kind=kind)


def test_f1_by_kind_counts_the_kind_of_the_highest_alarm() -> None:
    runs = [of_kind("dead", "dead_layer"), of_kind("dead", "vanishing", "dead_layer"), of_kind("vanishing"),
            of_kind("vanishing", "saturated"), of_kind("", "dead_layer", outcome=HEALTHY),
            of_kind("", "leak")]  # fmt: skip
    told = summary(runs)
    assert told["kinds"] == {"dead": [0.5, 2], "vanishing": [0.5, 2]}
    assert told["macro_f1"][0] == 0.5


def test_an_accepted_alarm_is_of_the_runs_own_kind_and_a_peers_rule_of_the_same() -> None:
    runs = [of_kind("unstable", "dead_layer", accepts=("dead_layer",)), of_kind("dead", "dead ReLU")]
    assert summary(runs)["macro_f1"][0] == 1.0
    assert isnan(summary(runs[:1])["macro_f1"][0])


def test_layers_are_compared_with_those_that_are_sick() -> None:
    right = replace(run(SICK, Alarm("dead_layer", 1, layers=(1, 2))), kind="dead", layers=(1, 2))
    half = replace(run(SICK, Alarm("dead_layer", 1, layers=(2,))), kind="dead", layers=(1, 2))
    silent = replace(run(SICK), kind="vanishing", layers=(0,))
    told = details([right, half, silent, run(SICK, Alarm("plateau", 1))])["layers"]
    assert (told["runs"], told["named"], told["jaccard"]) == (3, 2, 0.5)
    assert told["by_kind"] == {"dead": [0.75, 2], "vanishing": [0.0, 1]}


def test_an_interval_is_as_wide_as_the_configurations_differ() -> None:
    hits = np.array([1] * 10 + [0] * 10)
    groups = ["a"] * 10 + ["b"] * 10
    assert clustered(groups, lambda rows: float(hits[rows].mean())) == (0.5, 0.0, 1.0)


def test_the_score_interval_of_no_hits_is_not_empty() -> None:
    low, high = wilson(0, 40)
    assert low == 0.0
    assert high == pytest.approx(0.0876, abs=1e-4)


def test_a_target_is_clearly_missed_only_beyond_what_sampling_explains() -> None:
    target = Target("recall", "A", lambda found: found["x"], 0.99)
    assert not target.is_clearly_missed(15 / 17, 17)
    assert target.is_clearly_missed(14 / 17, 17)
    assert not target.is_clearly_missed(1.0, 17)
    few = Target("false alarms", "D", lambda found: found["x"], 0.02, is_most=True)
    assert [few.is_clearly_missed(hits / 20, 20) for hits in (0, 1, 2, 3)] == [False, False, False, True]


def test_two_of_eight_missed_may_be_chance_where_one_in_twenty_is_allowed() -> None:
    target = Target("detected", "B", lambda found: found["x"], 0.95)
    assert [target.is_clearly_missed(hits / 8, 8) for hits in (7, 6, 5)] == [False, False, True]


def test_a_bound_of_none_or_all_leaves_nothing_to_chance() -> None:
    none = Target("controls", "controls", lambda found: found["x"], 0.0, is_most=True)
    every = Target("quiz", "quiz", lambda found: found["x"], 1.0)
    assert none.is_clearly_missed(1 / 30, 6)
    assert not none.is_clearly_missed(0.0, 6)
    assert every.is_clearly_missed(0.9, 2)


def test_an_outcome_is_sick_below_its_bound_healthy_from_the_other_and_a_nan_is_sick() -> None:
    assert [by_bounds(value, 0.6, 0.8) for value in (0.59, 0.6, 0.8, float("nan"))] == [
        SICK,
        MID,
        HEALTHY,
        SICK,
    ]


def test_bounds_lie_between_the_baseline_and_what_the_parent_reaches() -> None:
    assert bounds_from([0.9, 0.8, 1.0], 0.5) == pytest.approx((0.7, 0.85))


def test_a_fault_harms_only_beyond_chance_and_by_five_points() -> None:
    parent = [0.90, 0.91, 0.92, 0.93, 0.94]
    assert is_worse([0.5, 0.51, 0.52, 0.53, 0.54], parent)
    assert not is_worse([0.89, 0.90, 0.91, 0.92, 0.93], parent)
    assert not is_worse([0.2, 0.99, 0.95, 0.96, 0.98], parent)


def test_a_repair_leaves_the_sick_and_gains_five_points() -> None:
    assert helped(0.7, 0.5, (0.6, 0.8))
    assert not helped(0.59, 0.3, (0.6, 0.8))
    assert not helped(0.61, 0.59, (0.6, 0.8))


def test_the_same_epochs_in_smaller_batches_cost_little_more_until_rows_come_alone() -> None:
    whole, small, single = (
        work(build_info(train_rows=1440, batch_size=batch, steps=20 * 1440 // batch))
        for batch in (1440, 32, 1)
    )
    assert small / whole == pytest.approx(1.3, abs=0.01)
    assert single / whole == pytest.approx(11, abs=0.1)


def test_outcomes_differ_from_the_reference_only_beyond_chance() -> None:
    reference = {"outcome_by_best": {"sick": 10}, "outcome_by_late_median": {"sick": 10}}
    found = {
        "references": {"alike": reference, "other": reference},
        "outcomes": {"alike": {"sick": 7, "mid": 3}, "other": {"healthy": 9, "sick": 1}},
    }
    assert table.differing(found) == ["other"]


def evaluation(step: int, accuracy: float, rank: float | None = None) -> Evaluation:
    shares = np.array([0.5, np.nan])
    return Evaluation(
        step, step, {"val_loss": 1.0, "val_accuracy": accuracy}, shares, shares, 9, effective_rank=rank
    )


def test_a_run_that_diverged_has_a_best_score_and_no_late_one() -> None:
    found = tuple(evaluation(step, accuracy) for step, accuracy in enumerate((0.1, 0.7, 0.6)))
    records = Records(1, np.ones(2), np.ones(2), evaluations=found)
    assert scores(records, "val_accuracy") == {"best": 0.7, "late": 0.6}
    broken = replace(records, nonfinite=NonFinite(3, "loss", None, 1.0))
    assert scores(broken, "val_accuracy") == {"best": 0.7, "late": 0.0}


def test_records_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    layers = np.array([1.0, np.nan, 3.0])
    counts = (np.array([1, 2]), np.array([3]))
    sample = Sample(5, 32, layers, layers, layers, layers, layers[:2], layers[:2], layers[:2], counts)
    told = (evaluation(0, 0.1, 2.5), evaluation(7, 0.2))
    bad = NonFinite(7, "loss", None, 0.25)
    records = Records(1, np.arange(7.0), np.full(7, np.nan), (sample, sample), told, bad, Ending.DIVERGED)
    traces.save(tmp_path / "run.npz", records)
    assert repr(traces.load(tmp_path / "run.npz")) == repr(records)


def test_a_case_that_the_engine_refuses_says_why() -> None:
    case = hard.cases()[0]
    refused = replace(case, training=case.training | {"activation": "no such"})
    assert "no such" in checked(refused).unable
    assert not checked(case).unable


@pytest.mark.parametrize("name", [name for name in suites.SUITES if name != "B"])
def test_every_configuration_of_our_suites_can_be_trained(name: str) -> None:
    assert {case.id: case.unable for case in suites.cases_of([name]) if case.unable} == {}


def test_the_quick_benchmark_takes_a_tenth_and_all_runs_of_the_parents() -> None:
    cases = suites.cases_of(["D"])
    assert len(suites.quick_runs(cases)) == 20
    assert len({run.case.id for run in suites.quick_runs(cases)}) == 20
