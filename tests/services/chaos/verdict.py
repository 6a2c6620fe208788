"""Whether runs ended right: as if nobody had disturbed them, by one attempt after the other."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tests.services.chaos.records import Record, Result
from tests.services.installation import CHECKOUT, Installation


def tell(api: Installation, *command: str) -> None:
    """Ask the database of an installation, in an installation's environment."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.chaos", *command],
        cwd=CHECKOUT,
        env=dict(api.environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def stored(api: Installation, sweep_ids: list[int]) -> list[list[Record]]:
    """All that an installation has stored of sweeps' runs."""
    file = api.home / "records"
    tell(api, "dump", str(file), *map(str, sweep_ids))
    found: list[list[Record]] = pickle.loads(file.read_bytes())
    return found


def faults(found: Sequence[Record], undisturbed: Sequence[Record]) -> Iterator[str]:
    """What is wrong with a sweep's runs, in words."""
    if len(found) != len(undisturbed):
        yield f"expected {len(undisturbed)} runs, got {len(found)}"
    for record, reference in zip(found, undisturbed, strict=False):
        every = [*differences(record.result, reference.result), *attempts_faults(record.attempts)]
        for fault in [*every, *writes_faults(record)]:
            yield f"run {record.run_id}: {fault}"


def differences(found: Result, wanted: Result) -> Iterator[str]:
    """Where a run's result is not that of the undisturbed run."""
    for name in ("status", "stop_reason", "error", "steps_run", "score"):
        if getattr(found, name) != getattr(wanted, name):
            yield f"{name}: expected {getattr(wanted, name)!r}, got {getattr(found, name)!r}"
    for name in ("summary", "summaries"):
        one, other = getattr(found, name), getattr(wanted, name)
        for key in sorted(one.keys() | other.keys(), key=str):
            if repr(one.get(key)) != repr(other.get(key)):  # NaN is not equal to itself
                yield f"{name} of {key}: expected {other.get(key)}, got {one.get(key)}"
    for key in sorted(found.series.keys() | wanted.series.keys(), key=str):
        if found.series.get(key) != wanted.series.get(key):
            yield f"series {key}: {_apart(found.series.get(key), wanted.series.get(key))}"


def _apart(found: tuple[bytes, bytes] | None, wanted: tuple[bytes, bytes] | None) -> str:
    if found is None or wanted is None:
        return "is missing" if found is None else "should not be there"
    (steps, values), (wanted_steps, wanted_values) = (
        (np.frombuffer(points[0], np.int64), np.frombuffer(points[1], np.int64)) for points in (found, wanted)
    )
    if not np.array_equal(steps, wanted_steps):
        return f"{len(steps)} points, expected {len(wanted_steps)}; {len(np.unique(steps))} different steps"
    places = np.flatnonzero(values != wanted_values)
    return f"{len(places)} of {len(steps)} values differ, first at step {steps[places[0]]}"


def attempts_faults(attempts: list[dict[str, Any]]) -> Iterator[str]:
    """Where a history is not one attempt after the other, the last of which finished."""
    numbers = [attempt["number"] for attempt in attempts]
    if numbers != list(range(1, len(attempts) + 1)):
        yield f"attempts are numbered {numbers}"
    for attempt in attempts:
        if attempt["ended_at"] is None or attempt["ended_at"] < attempt["started_at"]:
            yield f"attempt {attempt['number']} has not ended: {attempt}"
            return
    for one, later in itertools.pairwise(attempts):
        if one["ended_at"] > later["started_at"]:
            yield f"attempts {one['number']} and {later['number']} overlap: {one}, {later}"
        if one["outcome"] not in {"lost", "given back"}:
            yield f"there was another attempt after {one}"
    if not attempts or attempts[-1]["outcome"] != "finished":
        yield f"no attempt finished: {attempts}"


def writes_faults(record: Record) -> Iterator[str]:
    """Where points were written by an attempt whose run it was not, or by two in turns."""
    strangers = [number for number, (writer, token) in enumerate(record.writes) if writer != token]
    if strangers:
        yield f"writes {strangers} of {len(record.writes)} came from an attempt whose run it was not"
    turns = [writer for writer, _ in itertools.groupby(writer for writer, _ in record.writes)]
    if len(turns) != len(set(turns)):
        yield f"{len(set(turns))} attempts wrote in {len(turns)} turns"
