"""The planner's statistics: refreshed every hour, and after many new runs."""

from __future__ import annotations

import pytest
from django.db import connection

from runs.store import statistics
from runs.store.params import write_params
from tests.runs import builders

pytestmark = pytest.mark.django_db


def analysed() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tbl FROM sqlite_stat1")
        return {table for (table,) in cursor.fetchall()}


def test_the_tables_of_the_runs_table_are_analysed() -> None:
    write_params(builders.build_run())
    assert statistics.Upkeep().look()
    assert {"runs_run", "runs_runparam", "runs_name"} <= analysed()


def test_statistics_are_refreshed_hourly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(statistics, "monotonic", lambda: now)
    upkeep = statistics.Upkeep()
    assert [upkeep.look(), upkeep.look()] == [True, False]
    now += 3599.0
    assert not upkeep.look()
    now += 1.0
    assert [upkeep.look(), upkeep.look()] == [True, False]


def test_statistics_are_refreshed_after_many_new_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MANY", 3)
    upkeep = statistics.Upkeep()
    upkeep.look()
    looks = []
    for _ in range(4):
        builders.build_run()
        looks.append(upkeep.look())
    assert looks.count(True) == 1
