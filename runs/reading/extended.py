"""Which groups were given more seeds after somebody could have looked at the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Min

from runs.models import Run

_AT_ONCE = 5_000  # runs in a statement


def extended_groups(run_ids: Sequence[int]) -> frozenset[str]:
    """Return the groups whose runs were submitted in turns, a later turn after a run of it had ended.

    Who adds seeds until a difference shows finds one in the end, so such a group's interval describes what
    was measured and proves nothing. When a sweep was submitted and when its first run ended say so; no mark
    is kept. A run that is tried again within its sweep extends nothing.
    """
    turns: dict[tuple[str, int], tuple[datetime, datetime | None]] = {}
    for start in range(0, len(run_ids), _AT_ONCE):
        runs = Run.objects.filter(pk__in=run_ids[start : start + _AT_ONCE]).order_by()
        counted = runs.values_list("group", "sweep").annotate(Min("queued_at"), Min("ended_at"))
        for group, sweep, queued, ended in counted:
            before = turns.get((group, sweep), (queued, ended))
            ends = [end for end in (before[1], ended) if end is not None]
            turns[group, sweep] = min(before[0], queued), min(ends, default=None)
    by_group: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for (group, _), turn in turns.items():
        by_group.setdefault(group, []).append(turn)
    return frozenset(group for group, found in by_group.items() if _is_extended(found))


def _is_extended(turns: Iterable[tuple[datetime, datetime | None]]) -> bool:
    """Whether a turn began after a run of another one had ended."""
    ordered = sorted(turns, key=lambda turn: turn[0])
    ends = [end for _, end in ordered if end is not None]
    return len(ordered) > 1 and any(end < queued for queued, _ in ordered[1:] for end in ends)
