"""The state machine of one alert, as a table of results and what they lead to."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from nnlab.health.checks import (
    class_balance,
    dead_layer,
    exploding,
    nonfinite,
    not_learning,
    symmetry,
    vanishing,
)
from nnlab.health.events import EventKind, Severity
from nnlab.health.machine import Machine
from nnlab.health.results import Result, Verdict
from nnlab.health.signals import Signals
from nnlab.health.thresholds import THRESHOLDS
from tests.health.builders import build_evaluation, build_info

VERDICTS = {"h": Verdict.HIT, "s": Verdict.SAFE, "n": Verdict.NEUTRAL, "u": Verdict.UNKNOWN}
VALUES = {"h": 5e-4, "s": 0.5, "n": 5e-3, "u": 1.0}


class Bench:
    """A machine for check 3, fed one letter a step; pauses of 100 steps between updates."""

    def __init__(self, loss: float = 0.8) -> None:
        limits = THRESHOLDS.checks["vanishing"]
        self.machine = Machine(vanishing.CHECK, limits, THRESHOLDS.machine, pause=100)
        self.signals = Signals(build_info())
        self.loss = loss

    def feed(
        self, letters: str, *, held: bool = False, layers: tuple[int, ...] = (0,), factor: float = 1.0
    ) -> str:
        """Feed results; answer with a letter each: o(pen), u(pdate), r(esolve) or a dot."""
        story = ""
        for letter in letters:
            self.signals.add_steps(np.array([self.loss]), np.array([np.nan]))
            result = Result(VERDICTS[letter], VALUES[letter] * factor, 1e-3, layers)
            kind = self.machine.feed(result, self.signals, held=held)
            story += "." if kind is None else kind[0]
        return story


@pytest.mark.parametrize(
    ("letters", "story"),
    [
        ("hhh", "..o"),
        ("hshsh", "....o"),
        ("hsshsh", "......"),
        ("hhsssh", "......"),
        ("huuuuhuuuuh", "..........o"),
        ("hhnnh", "....o"),
        ("hhssshhh", ".......o"),
        ("sssss", "....."),
        ("hhhsssss", "..o....r"),
        ("hhhssssnsssss", "..o.........r"),
        ("hhhssssuuus", "..o.......r"),
        ("hhhssssshhh", "..o....r..u"),
        ("hhhssssshhsssss", "..o....r......."),
    ],
)
def test_results_lead_to_events(letters: str, story: str) -> None:
    assert Bench().feed(letters) == story


def test_the_first_step_is_that_of_the_first_hit_in_the_window() -> None:
    bench = Bench()
    bench.feed("sshshsh")
    assert bench.machine.first_step == 3


def test_an_alert_that_comes_back_is_the_same_alert() -> None:
    bench = Bench()
    bench.feed("hhhssssshhh")
    assert (bench.machine.is_open, bench.machine.openings, bench.machine.first_step) == (True, 2, 1)


def test_a_signal_that_swings_between_open_and_clear_does_not_flap() -> None:
    assert Bench().feed("hhh" + "shns" * 20).count("r") == 0


def test_a_class_that_is_recognised_now_and_then_stays_one_alert() -> None:
    machine = Machine(
        class_balance.CHECK, THRESHOLDS.checks["class_balance"], THRESHOLDS.machine, pause=10_000
    )
    signals = Signals(build_info())
    results = [Result(Verdict.HIT, 0.1, 0.3), *[Result(Verdict.SAFE, 0.6, 0.3)] * 4] * 10
    kinds = [machine.feed(result, signals, held=False) for result in results]
    assert EventKind.RESOLVE not in kinds
    assert machine.openings == 1


def test_updates_without_news_keep_their_pause() -> None:
    story = Bench().feed("h" * 303)
    assert [step for step, letter in enumerate(story, 1) if letter == "u"] == [103, 203, 303]


def test_other_layers_are_news_but_not_at_every_result() -> None:
    bench = Bench()
    bench.feed("hhh")
    assert bench.feed("h" * 12, layers=(0, 1)) == "." * 9 + "u" + ".."


def test_a_value_ten_times_smaller_is_news() -> None:
    bench = Bench()
    bench.feed("hhh" + "h" * 10)
    assert bench.feed("h", factor=0.11) == "."
    assert bench.feed("h", factor=0.09) == "u"


def test_a_run_that_is_stuck_makes_the_alert_critical_at_once() -> None:
    bench = Bench(loss=1.1)
    bench.signals.add_evaluation(build_evaluation(0, 0.3))
    assert bench.feed("h" * 200)[-1] == "u"
    assert bench.machine.severity is Severity.CRITICAL
    assert bench.signals.step == 200


def test_a_run_that_gets_on_makes_the_alert_one_of_interest_only() -> None:
    bench = Bench(loss=1.1)
    bench.feed("h" * 250)
    bench.loss = 0.1
    bench.feed("h" * 100)
    assert bench.machine.severity is Severity.INFO


def add_scores(signals: Signals, *accuracies: float) -> None:
    """An epoch for each, at a loss above that of a constant answer."""
    for accuracy in accuracies:
        signals.add_steps(np.full(50, 1.5), np.full(50, np.nan))
        signals.add_evaluation(build_evaluation(signals.step, accuracy))


@pytest.mark.parametrize(
    ("accuracies", "severity"),
    [
        ([0.9] * 8, Severity.INFO),
        ([0.9] * 6 + [0.5] * 2, Severity.INFO),
        ([0.9] * 4 + [0.5] * 4, Severity.CRITICAL),
        ([0.9] * 7 + [0.35], Severity.CRITICAL),
        ([0.75] * 8, Severity.CRITICAL),
        ([0.78] * 8, Severity.INFO),
        ([0.9] * 2, Severity.CRITICAL),
    ],
    ids=["good", "two bad ones", "as many bad ones", "no better now", "not far enough", "far enough", "few"],
)
def test_good_scores_of_the_last_evaluations_disprove_harm_whatever_the_loss_says(
    accuracies: list[float], severity: Severity
) -> None:
    signals = Signals(build_info())
    add_scores(signals, *accuracies)
    machine = Machine(exploding.CHECK, THRESHOLDS.checks["exploding"], THRESHOLDS.machine, pause=100)
    for _ in range(3):
        result = Result(Verdict.HIT, 1e4, 100, severity=Severity.CRITICAL)
        machine.feed(result, signals, held=False)
    assert machine.severity is severity


@pytest.mark.parametrize("check", [class_balance, dead_layer, not_learning])
def test_good_scores_disprove_no_rare_class_nor_a_layer_that_is_silent(check: ModuleType) -> None:
    signals = Signals(build_info())
    add_scores(signals, *[0.9] * 8)
    machine = Machine(check.CHECK, THRESHOLDS.checks[check.CHECK.id], THRESHOLDS.machine, pause=100)
    result = Result(Verdict.HIT, 1.0, 1.0, severity=Severity.WARNING)
    assert machine.feed(result, signals, held=False) is EventKind.OPEN
    assert machine.severity is Severity.WARNING


def build_symmetric() -> Machine:
    machine = Machine(symmetry.CHECK, THRESHOLDS.checks["symmetry"], THRESHOLDS.machine, pause=100)
    machine.feed(Result(Verdict.HIT, 1.0, 2), Signals(build_info()), held=False)
    return machine


def test_a_finding_before_training_that_good_scores_disprove_becomes_one_of_interest() -> None:
    machine, signals = build_symmetric(), Signals(build_info())
    add_scores(signals, 0.95, 0.95, 0.95)
    before, kind = machine.severity, machine.review(signals)
    assert (before, kind, machine.severity) == (Severity.CRITICAL, EventKind.UPDATE, Severity.INFO)


def test_a_little_progress_does_not_disprove_that_a_run_cannot_succeed() -> None:
    machine, signals = build_symmetric(), Signals(build_info())
    signals.add_steps(np.linspace(1.1, 0.66, 500), np.full(500, np.nan))
    assert signals.eases
    assert machine.review(signals) is None
    assert machine.severity is Severity.CRITICAL


def test_severity_stays_between_stuck_and_good() -> None:
    bench = Bench(loss=1.1)
    bench.signals.add_evaluation(build_evaluation(0, 0.3))
    bench.feed("h" * 200)
    bench.loss = 0.95
    bench.feed("h" * 200)
    assert bench.machine.severity is Severity.CRITICAL


def test_a_held_finding_waits_and_does_not_open() -> None:
    bench = Bench()
    assert bench.feed("hhhhh", held=True) == "....."
    assert (bench.machine.waiting, bench.machine.first_step) == (True, 1)


def test_a_finding_opens_by_itself_once_its_cause_is_gone_and_it_still_holds() -> None:
    bench = Bench()
    bench.feed("hhhhh", held=True)
    bench.machine.forget()
    assert not bench.machine.waiting
    assert bench.feed("hhh") == "..o"


def test_a_check_marked_once_opens_on_one_hit_and_never_eases() -> None:
    machine = Machine(nonfinite.CHECK, THRESHOLDS.checks["nonfinite"], THRESHOLDS.machine, pause=100)
    signals = Signals(build_info())
    signals.add_steps(np.full(300, 0.01), np.full(300, np.nan))
    assert machine.feed(Result(Verdict.HIT, np.nan, np.inf), signals, held=False) is EventKind.OPEN
    assert machine.severity is Severity.CRITICAL


def test_history_keeps_the_opening_and_stays_short() -> None:
    bench = Bench()
    bench.feed("sshhh" + "h" * 3000)
    steps = [step for step, _ in bench.machine.history]
    assert steps[:5] == [1, 2, 3, 4, 5]
    assert len(steps) == 20
    assert steps[-1] == 3005
    gaps = np.diff(np.log(steps[5:]))
    assert gaps.max() < 4 * np.median(gaps)


@pytest.mark.parametrize(("loss", "severity"), [(0.1, "info"), (1.1, "critical"), (0.95, "warning")])
def test_an_open_finding_that_is_not_looked_for_again_follows_the_progress_of_the_run(
    loss: float, severity: str
) -> None:
    bench = Bench(loss)
    bench.machine.feed(Result(Verdict.HIT, 1.0, 1.0), Signals(build_info()), held=False)
    bench.feed("hh")
    assert bench.machine.severity in (Severity.WARNING, Severity.INFO)
    bench.signals.add_evaluation(build_evaluation(0, 0.3))
    bench.signals.add_steps(np.full(300, loss), np.full(300, np.nan))
    kind = bench.machine.review(bench.signals)
    assert bench.machine.severity == severity
    assert (kind is EventKind.UPDATE) == (severity == "critical")
    assert bench.machine.review(bench.signals) is None
