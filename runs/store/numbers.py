"""The numbers of a run's series: given when a series is written to first, and remembered by each process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial

from django.db import transaction

from nnlab.series.batch import Key
from nnlab.series.errors import SeriesError
from nnlab.series.summaries import Summary
from runs.models import Series
from runs.store.memory import Memory

MAX_SERIES = 2_000


_remembered: Memory[dict[Key, int]] = Memory(100_000)  # series


def series_numbers(
    run_id: int, folds: int, keys: Iterable[Key]
) -> tuple[Mapping[Key, int], Mapping[Key, int]]:
    """Return the number of each series, and of those that are new, which the caller stores.

    The run's ledger is held.

    Raises:
        SeriesError: where the run would have more than ``MAX_SERIES``.
    """
    wanted = list(keys)
    known = _remembered.get(run_id, folds)
    if known is not None and all(key in known for key in wanted):
        return known, {}
    stored = stored_numbers(run_id)
    new = _given(stored, wanted)
    known = stored | new
    transaction.on_commit(partial(_remembered.put, run_id, folds, known))
    return known, new


def store_new(run_id: int, new: Mapping[Key, int], summaries: Mapping[int, Summary] | None = None) -> None:
    """Store series with their numbers.

    Args:
        run_id: key of the run.
        new: number of each.
        summaries: how what is sealed of them stands, by number. Written at once, they leave no dead
            rows behind.
    """
    known = summaries or {}
    Series.objects.bulk_create(
        Series(
            run_id=run_id, number=number, metric=metric, layer=layer, **asdict(known.get(number, Summary()))
        )
        for (metric, layer), number in new.items()
    )


def stored_numbers(run_id: int) -> dict[Key, int]:
    """Return the numbers of a run's series as they are stored."""
    found = Series.objects.filter(run_id=run_id).order_by("number").values_list("metric", "layer", "number")
    return {(metric, layer): number for metric, layer, number in found}


def _given(known: Mapping[Key, int], wanted: Iterable[Key]) -> dict[Key, int]:
    new = [key for key in dict.fromkeys(wanted) if key not in known]
    if len(known) + len(new) > MAX_SERIES:
        raise SeriesError(
            f"expected at most {MAX_SERIES:,} series in a run, got {len(known):,} and {len(new):,} new ones; "
            "a metric's name should not hold a number that changes, such as the step or a file's name"
        )
    first = max(known.values(), default=-1) + 1
    return {key: first + place for place, key in enumerate(new)}
