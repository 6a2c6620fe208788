"""Checkpoints: a run in progress as bytes, to go on with it exactly as if it had never stopped.

Layout, little-endian: magic (8 bytes), format version, header's length, CRC-32 of all that follows (three
32-bit words), length of all that follows (64 bits); then the header in JSON and the arrays it lists, one
after the other. Nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnlab.engine.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnlab.engine.problem import Problem

MAGIC = b"nnlab-cp"
VERSION = 1
_PREFIX = struct.Struct("<8sIIIQ")

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Args:
        config: of the run, in plain values.
        problem: fingerprint of the examples.
        counters: numbers and words, by name.
        arrays: by name: parameters, state of the optimizer, the best network and so on.
        tier: that trained the run so far, and must go on with it; ``auto`` where any may.
    """

    config: Mapping[str, Any]
    problem: str
    counters: Mapping[str, Any]
    arrays: Arrays
    tier: str = "auto"

    def to_bytes(self) -> bytes:
        """Write all of it."""
        listed = [[name, array.dtype.str, list(array.shape)] for name, array in self.arrays.items()]
        header = {
            "config": self.config,
            "problem": self.problem,
            "tier": self.tier,
            "counters": self.counters,
            "arrays": listed,
        }
        text = json.dumps(header).encode()
        body = b"".join([text, *(array.tobytes() for array in self.arrays.values())])
        return _PREFIX.pack(MAGIC, VERSION, len(text), zlib.crc32(body), len(body)) + body

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Read what ``to_bytes`` wrote.

        Raises:
            CheckpointError: for other bytes, another version, or bytes that are missing or damaged.
        """
        body, header_length = _body(data)
        arrays: Arrays = {}
        try:
            header = json.loads(body[:header_length])
            start = header_length
            for name, dtype, shape in header["arrays"]:
                count = prod(shape)
                arrays[name] = np.frombuffer(body, dtype, count, start).reshape(shape)
                start += count * np.dtype(dtype).itemsize
            tier = header.get("tier", "auto")  # older checkpoints do not say
            return cls(header["config"], header["problem"], header["counters"], arrays, tier)
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"expected a checkpoint's header, got one that says {error}") from error

    def check(self, config: Mapping[str, Any], problem: str) -> None:
        """Refuse to go on with another run.

        Raises:
            CheckpointError: naming what differs.
        """
        differing = [
            f"{name} {self.config.get(name)!r} instead of {config.get(name)!r}"
            for name in {**self.config, **config}
            if self.config.get(name) != config.get(name)
        ]
        if differing:
            raise CheckpointError(
                f"expected a checkpoint of this network, got one with {', '.join(differing)}"
            )
        if self.problem != problem:
            raise CheckpointError("expected a checkpoint of a run on these examples, got one on others")


def fingerprint(problem: Problem) -> str:
    """Hash everything of a problem: 64 hex digits."""
    digest = hashlib.sha256(f"{problem.task} {problem.outputs} {problem.target_scale!r}".encode())
    if problem.target_is_log:
        digest.update(f"log {problem.target_offset!r}".encode())
    known = [problem.x_train, problem.y_train, problem.x_val, problem.y_val]
    for array in (*known, *(part for part in (problem.x_test, problem.y_test) if part is not None)):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def fill(current: Arrays, stored: Arrays) -> None:
    """Copy stored arrays into those of a run.

    Raises:
        CheckpointError: where names, types or shapes differ; nothing was copied.
    """
    shapes, expected = ({name: (a.dtype, a.shape) for name, a in part.items()} for part in (stored, current))
    if shapes != expected:
        wrong = sorted(name for name in {**shapes, **expected} if shapes.get(name) != expected.get(name))
        raise CheckpointError(f"expected the arrays of this network, got others for {', '.join(wrong)}")
    for name, array in current.items():
        np.copyto(array, stored[name])


def _body(data: bytes) -> tuple[bytes, int]:
    """Check the prefix; give all that follows, and the header's length."""
    if not MAGIC.startswith(data[: len(MAGIC)]) or not data:
        raise CheckpointError(f"expected a checkpoint, got bytes that begin with {data[: len(MAGIC)]!r}")
    if len(data) < _PREFIX.size:
        raise CheckpointError(f"expected at least {_PREFIX.size} bytes, got {len(data)}; the file is cut off")
    _, version, header_length, crc, length = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise CheckpointError(
            f"expected checkpoint version {VERSION}, got {version}; it is another engine version's"
        )
    body = data[_PREFIX.size :]
    if len(body) != length:
        raise CheckpointError(f"expected {length:,} bytes after the prefix, got {len(body):,}; it is cut off")
    if zlib.crc32(body) != crc:
        raise CheckpointError("expected bytes that fit their checksum, got others; the checkpoint is damaged")
    return body, header_length
