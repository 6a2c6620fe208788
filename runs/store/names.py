"""The numbers of names: metrics and parameters are named once, and referred to by number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from django.db import connection

from runs.models import Name
from runs.store import rows

_BATCH = 900  # under SQLite's bound on the parameters of a query
_TURN = 0x6E6E_6C61_62  # the lock of those that insert names, among those of the database


def name_ids(texts: Collection[str]) -> dict[str, int]:
    """Return the number of each name, and give one to those that have none yet.

    Safe beside others that do the same: those that insert names take turns, because a transaction may do it
    more than once, and two could wait for each other's names. Nothing is remembered, so a rolled-back insert
    leaves no trace.
    """
    wanted = sorted(set(texts))
    known = known_ids(wanted)
    missing = [text for text in wanted if text not in known]
    if not missing:
        return known
    if connection.vendor == "postgresql":  # SQLite has one writer at a time
        rows.change("SELECT pg_advisory_xact_lock(%s)", (_TURN,))
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
