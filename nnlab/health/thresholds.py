"""The threshold file and its hash, so that every alert says by which numbers it was judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

Limits: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Thresholds:
    """All numbers that checks and state machine compare with.

    Args:
        version: raised with every change of meaning; a change of value shows in ``hash``.
        progress: limits of "no better than the baseline" and of easing.
        machine: limits that all state machines share.
        checks: by check id; each holds at least ``n_open``, ``m`` and ``n_clear``.
        hash: first 12 hex digits of the SHA-256 of the canonical JSON.
    """

    version: int
    progress: Limits
    machine: Limits
    checks: Mapping[str, Limits]
    hash: str


def canonical(document: Mapping[str, Any]) -> str:
    """Write JSON in its one canonical form: sorted keys, no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse(text: str) -> Thresholds:
    """Read a threshold file. Layout and order of keys do not change the hash."""
    document = json.loads(text)
    return Thresholds(
        version=document["version"],
        progress=MappingProxyType(document["progress"]),
        machine=MappingProxyType(document["machine"]),
        checks=MappingProxyType(
            {name: MappingProxyType(limits) for name, limits in document["checks"].items()}
        ),
        hash=hashlib.sha256(canonical(document).encode()).hexdigest()[:12],
    )


_TEXT = Path(__file__).with_name("thresholds.json").read_text(encoding="utf-8")
SHIPPED: dict[str, Any] = json.loads(_TEXT)  # as it stands in the file
THRESHOLDS = parse(_TEXT)
