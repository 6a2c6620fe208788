"""A reader within the test's own process: it reads what was uploaded, one file after the other."""

from __future__ import annotations

from runs.store import uploads
from runs.uploading import reading


def read_all() -> int:
    """Read all uploads that wait. Returns how many."""
    count = 0
    while (upload := uploads.claim()) is not None:
        reading.read(upload)
        count += 1
    return count
