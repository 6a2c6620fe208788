"""Rewinding a long run costs the memory of one series, not of all."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nnlab.series.batch import Key, Points
from runs.store.journal import pending_points
from runs.store.rewinding import rewind
from runs.store.writing import write
from tests.runs.builders import build_run


@pytest.mark.django_db
def test_what_a_rewind_removes_is_not_kept_in_memory() -> None:
    run, series, count = build_run(), 20, 40_000
    rng = np.random.default_rng(5)
    points: dict[Key, Points] = {
        (f"m{at}", None): (np.arange(count), rng.random(count)) for at in range(series)
    }
    write(run.pk, points, final=True)
    tracemalloc.start()
    try:
        rewind(run.pk, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert pending_points(run.pk) == series
    assert peak < 16 * count * series / 2
