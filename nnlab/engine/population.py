"""Populations: runs of one shape on the same examples, trained together, each with records of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnlab.engine.records import Records
from nnlab.engine.training import CHUNK_SECONDS, Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.problem import Problem

# What the members of a population share: everything that decides which numbers are computed, and how many.
_SHAPE = (
    "hidden_units",
    "activation",
    "batch_norm",
    "loss",
    "output_activation",
    "class_weights",
    "optimizer",
    "batch_size",
    "dtype",
)
_ROUND_SECONDS = 0.5  # in which every member advances, so that each shows progress


def shape_key(config: TrainingConfig) -> str:
    """Name the shape of a config: 16 hex digits, equal for those that can be one population.

    Members may differ in everything else: seed, learning rate and its schedule, length, initializer,
    regularisation. The examples must be the same too, which a config does not know.
    """
    shape = [getattr(config, field) for field in _SHAPE]
    drops = [rate > 0.0 for rate in config.dropouts]
    return hashlib.sha256(json.dumps([shape, drops]).encode()).hexdigest()[:16]


class Population(Iterator[tuple[int, Records]]):
    """Runs in progress: an iterator of (member, records), in rounds over the members that have not ended.

    Each member's records are those of ``train`` with its config, to the last bit, however many others
    there are and however they end.

    Args:
        resume: a checkpoint for each member, or None for one that starts anew.

    Raises:
        ConfigError, CheckpointError: as ``train``.
    """

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        problem: Problem,
        resume: Sequence[bytes | None] | None = None,
    ) -> None:
        kept = resume or [None] * len(configs)
        seconds = min(CHUNK_SECONDS, _ROUND_SECONDS / max(1, len(configs)))
        self._members: dict[int, Training] = {
            index: Training(config, problem, checkpoint, chunk_seconds=seconds)
            for index, (config, checkpoint) in enumerate(zip(configs, kept, strict=True))
        }
        self._round: list[int] = []

    def __next__(self) -> tuple[int, Records]:
        while self._members:
            if not self._round:
                self._round = sorted(self._members, reverse=True)
            index = self._round.pop()
            member = self._members.get(index)
            if member is None:
                continue
            records = next(member, None)
            if records is not None:
                return index, records
            del self._members[index]
        raise StopIteration

    def drop(self, index: int) -> None:
        """Stop a member; the others go on."""
        member = self._members.pop(index, None)
        if member is not None:
            member.close()

    def checkpoint(self, index: int) -> bytes:
        """Keep a member as it stands after its last records.

        Raises:
            CheckpointError: as ``Training.checkpoint``.
            KeyError: for a member that was dropped or has told its last records.
        """
        return self._members[index].checkpoint()

    def close(self) -> None:
        """Stop all members."""
        for index in list(self._members):
            self.drop(index)
