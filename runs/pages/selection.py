"""Lists of run numbers as addresses and forms carry them."""

from __future__ import annotations

from dataclasses import dataclass

_MAX_DIGITS = 18  # what a database's big integer holds


@dataclass(frozen=True)
class Numbers:
    """The numbers that were understood, once each and in order; and the parts that were not."""

    numbers: tuple[int, ...]
    unknown: tuple[str, ...]


def run_numbers(text: str) -> Numbers:
    """Read a list such as ``1,2,3``."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    good = [part for part in parts if part.isascii() and part.isdigit() and len(part) <= _MAX_DIGITS]
    bad = [part for part in parts if part not in set(good)]
    return Numbers(tuple(dict.fromkeys(int(part) for part in good)), tuple(part[:40] for part in bad))
