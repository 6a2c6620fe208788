"""Snapshots of networks on their way to the database and back: some hundred bytes a layer."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np

from nnlab.engine.records import FloatArray, Histogram, Snapshot
from runs.models import NetworkSnapshot

_LEVEL = 1  # of compression: it is done while a worker trains
_STEPS = 32_767  # that a layer's largest weight is divided into


class _Counts(msgspec.Struct, array_like=True):
    low: float
    high: float
    counts: list[int]
    zeros: int
    broken: int


class _Stored(msgspec.Struct, array_like=True):
    weights: list[_Counts]
    outputs: list[_Counts]
    active: list[list[int]]
    rows: int
    scale: float
    parameters: bytes | None


@dataclass(frozen=True)
class Kept:
    """A snapshot that was stored.

    Args:
        snapshot: its parameters rounded to 1/32,767 of the largest of them.
    """

    step: int
    snapshot: Snapshot


def write(run_id: int, found: Iterable[tuple[int, Snapshot]]) -> None:
    """Write snapshots of a run, by step, in place of those of the same steps."""
    rows = [NetworkSnapshot(run_id=run_id, step=step, data=_packed(snapshot)) for step, snapshot in found]
    NetworkSnapshot.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["run", "step"], update_fields=["data"]
    )


def rewind(run_id: int, after: int | None) -> None:
    """Remove the snapshots after a step, or all: another attempt goes on from there, or begins anew."""
    later = NetworkSnapshot.objects.filter(run_id=run_id)
    (later if after is None else later.filter(step__gt=after)).delete()


def read(run_id: int) -> list[Kept]:
    """Read the snapshots of a run, the first step first."""
    rows = NetworkSnapshot.objects.filter(run_id=run_id).order_by("step").values_list("step", "data")
    return [Kept(step, _unpacked(data)) for step, data in rows]


def _packed(snapshot: Snapshot) -> bytes:
    parameters, scale = snapshot.parameters, 0.0
    rounded = None
    if parameters is not None:
        wide = np.nan_to_num(parameters.astype(np.float64), posinf=0.0, neginf=0.0)
        scale = float(np.abs(wide).max(initial=0.0)) / _STEPS
        rounded = np.rint(wide / (scale or 1.0)).astype("<i2").tobytes()
    stored = _Stored(
        [_counts(one) for one in snapshot.weights],
        [_counts(one) for one in snapshot.outputs],
        [units.tolist() for units in snapshot.active],
        snapshot.rows,
        scale,
        rounded,
    )
    return zlib.compress(msgspec.msgpack.encode(stored), _LEVEL)


def _unpacked(data: bytes | memoryview) -> Snapshot:
    stored = msgspec.msgpack.decode(zlib.decompress(data), type=_Stored)
    parameters = None
    if stored.parameters is not None:
        steps: FloatArray = np.frombuffer(stored.parameters, "<i2") * stored.scale
        parameters = steps.astype(np.float32)
    return Snapshot(
        weights=tuple(_histogram(one) for one in stored.weights),
        outputs=tuple(_histogram(one) for one in stored.outputs),
        active=tuple(np.array(units, np.int64) for units in stored.active),
        rows=stored.rows,
        parameters=parameters,
    )


def _counts(one: Histogram) -> _Counts:
    return _Counts(one.low, one.high, one.counts.tolist(), one.zeros, one.broken)


def _histogram(one: _Counts) -> Histogram:
    return Histogram(one.low, one.high, np.array(one.counts, np.int64), one.zeros, one.broken)
