"""The state machine of one alert, as a table of results and what they lead to."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.health.checks import nonfinite, vanishing
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
