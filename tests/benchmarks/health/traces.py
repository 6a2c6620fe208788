"""The records of a run in one compressed file, and back: what the monitor is told, bit for bit."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.records import Ending, Evaluation, NonFinite, Records, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Arrays = dict[str, Any]


def save(path: Path, records: Records) -> None:
    """Write the records of a whole run."""
    arrays: Arrays = {
        "losses": records.losses,
        "gradient_norms": records.gradient_norms,
        "learning_rates": records.learning_rates,
    }
    arrays |= _samples(records.samples) | _evaluations(records.evaluations)
    bad = records.nonfinite
    told = {
        "first_step": records.first_step,
        "ended": records.ended,
        "nonfinite": None if bad is None else [bad.step, bad.quantity, bad.layer, bad.last_finite_loss],
        "widths": [len(counts) for counts in records.samples[0].active_counts] if records.samples else [],
        "samples": len(records.samples),
        "evaluations": len(records.evaluations),
    }
    arrays["told"] = np.array(json.dumps(told))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez_compressed(unfinished, **arrays)
    unfinished.replace(path)


def load(path: Path) -> Records:
    """Read what ``save`` wrote."""
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in kept.files}
    told = json.loads(str(arrays["told"]))
    bad = told["nonfinite"]
    return Records(
        first_step=told["first_step"],
        losses=arrays["losses"],
        gradient_norms=arrays["gradient_norms"],
        samples=tuple(_sample(arrays, told["widths"], row) for row in range(told["samples"])),
        evaluations=tuple(_evaluation(arrays, row) for row in range(told["evaluations"])),
        nonfinite=None if bad is None else NonFinite(*bad),
        ended=None if told["ended"] is None else Ending(told["ended"]),
        learning_rates=arrays["learning_rates"],
    )


def _samples(samples: Sequence[Sample]) -> Arrays:
    if not samples:
        return {}
    found = {f"sample/{name}": np.stack([getattr(one, name) for one in samples])
             for name in _names(Sample) if name != "active_counts"}  # fmt: skip
    counts = [np.concatenate([np.empty(0, np.int64), *one.active_counts]) for one in samples]
    return found | {"sample/active_counts": np.stack(counts)}


def _sample(arrays: Arrays, widths: list[int], row: int) -> Sample:
    values = {name: arrays[f"sample/{name}"][row] for name in _names(Sample)}
    values = {name: value.item() if value.ndim == 0 else value for name, value in values.items()}
    counts = values.pop("active_counts")
    ends = np.cumsum(widths, dtype=np.int64)
    split = tuple(counts[end - width : end] for end, width in zip(ends, widths, strict=True))
    return Sample(active_counts=split, **values)


def _evaluations(evaluations: Sequence[Evaluation]) -> Arrays:
    """Stack each field; None is kept as NaN, with a flag for each evaluation."""
    if not evaluations:
        return {}
    found: Arrays = {}
    for name in evaluations[0].metrics:
        found[f"metric/{name}"] = np.array([one.metrics.get(name, np.nan) for one in evaluations])
    for name in _names(Evaluation):
        values = [getattr(one, name) for one in evaluations]
        known = [value for value in values if value is not None]
        if name in {"metrics", "snapshot"} or not known:  # no check reads the latter
            continue
        nothing = np.zeros_like(np.asarray(known[0]))
        found[f"evaluation/{name}"] = np.stack([nothing if value is None else value for value in values])
        found[f"known/{name}"] = np.array([value is not None for value in values])
    return found


def _evaluation(arrays: Arrays, row: int) -> Evaluation:
    values: dict[str, Any] = {
        "metrics": {name[len("metric/") :]: float(column[row]) for name, column in arrays.items()
                    if name.startswith("metric/")}
    }  # fmt: skip
    for name in _names(Evaluation):
        column = arrays.get(f"evaluation/{name}")
        if column is not None and arrays[f"known/{name}"][row]:
            values[name] = column[row].item() if column[row].ndim == 0 else column[row]
    return Evaluation(**values)


def _names(kind: type[Any]) -> list[str]:
    return [each.name for each in fields(kind)]
