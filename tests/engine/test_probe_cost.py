"""What the probes cost is measured on each run."""

from __future__ import annotations

import pytest

from nnlab.engine.probe_cost import ProbeCost
from tests.engine.builders import build_problem, run


def test_steps_that_are_read_are_compared_with_others() -> None:
    cost = ProbeCost()
    cost.add_plain(10, 1.0)
    cost.add_probed(1, 0.6)
    assert cost.share == pytest.approx(0.5 / 1.6)


def test_a_fast_step_that_was_read_costs_nothing() -> None:
    cost = ProbeCost()
    cost.add_plain(10, 1.0)
    cost.add_probed(1, 0.05)
    assert cost.share == 0.0


def test_nothing_is_said_before_there_is_anything_to_compare() -> None:
    cost = ProbeCost()
    cost.add_probed(3, 1.0)
    assert cost.share is None


def test_a_known_part_is_a_share_of_all() -> None:
    cost = ProbeCost()
    cost.add(2.0, 0.5)
    assert cost.share == 0.25


@pytest.mark.usefixtures("tier")
def test_a_run_tells_what_its_probes_cost() -> None:
    share = run(build_problem(), steps=200).probe_share
    assert share is not None
    assert 0.0 <= share < 1.0
