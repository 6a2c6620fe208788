"""The numbers of names: metrics and parameters are named once, and referred to by number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from runs.models import Name

_BATCH = 900  # under SQLite's bound on the parameters of a query


def name_ids(texts: Collection[str]) -> dict[str, int]:
    """Return the number of each name, and give one to those that have none yet.

    Safe beside others that do the same: names are inserted in one order, so that two transactions cannot
    wait for each other, and read after that. Nothing is remembered, so a rolled-back insert leaves no trace.
    """
    wanted = sorted(set(texts))
    known = known_ids(wanted)
    missing = [text for text in wanted if text not in known]
    if not missing:
        return known
    Name.objects.bulk_create((Name(text=text) for text in missing), ignore_conflicts=True)
    return known | known_ids(missing)


def known_ids(texts: Iterable[str]) -> dict[str, int]:
    """Return the numbers of those names that have one."""
    found: dict[str, int] = {}
    for batch in _batches(texts):
        found.update(Name.objects.filter(text__in=batch).values_list("text", "pk"))
    return found


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while batch := list(islice(rest, _BATCH)):
        yield batch
