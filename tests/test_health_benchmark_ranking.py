"""Which change mends what: how it is asked, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.health import ranking, suites, training
from tests.benchmarks.health.faults import Fault, Parent, faulted, net, parent_case
from tests.benchmarks.health.ranking import Tried

if TYPE_CHECKING:
    from pathlib import Path


def test_each_pair_of_a_network_and_a_fault_is_in_one_part_and_in_no_suite() -> None:
    parts = [ranking.configurations(part, 5) for part in range(5)]
    ids = [case.id for cases in parts for case in cases if case.problem]
    assert len(ids) == len(set(ids)) > 300
    of_suites = {case.key for name in suites.SUITES for case in suites.SUITES[name]()}
    assert not of_suites & {case.key for cases in parts for case in cases}


def test_every_change_is_tried_on_a_sick_run_and_the_right_ones_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "BUILD", tmp_path)
    parent = Parent("gauss", {"dataset": "gauss"}, net([6], "relu", "adam", 0.01, 32, 5), "binary", 400)
    zeros = Fault("zeros", lambda _parent, settings, _data: settings.update(initializer="zeros"), ())
    sick, tried = ranking.measure([parent_case(parent), faulted(parent, zeros)])
    assert sick == len(tried) == 5
    for one in tried:
        assert (one.check, one.advised[0], one.place) == ("symmetry", "A2", 1)
        assert one.mends["A2"]
        assert not one.mends["A3"]


def test_the_table_counts_for_each_finding_what_mended_its_runs() -> None:
    tried = [
        Tried("plateau", ("A4", "A5"), {"A4": False, "A5": True, "A10": True}),
        Tried("plateau", ("A4",), {"A4": False, "A5": True}),
        Tried("dropout", ("A14",), {"A14": True}),
    ]
    assert ranking.table(tried) == "dropout (1): A14 1/1\nplateau (2): A5 2/2, A10 1/1"
    assert [one.place for one in tried] == [2, 0, 1]
