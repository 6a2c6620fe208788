"""Populations: runs of one shape on the same examples, trained together, each with records of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnlab.engine.native_members import FEWEST, Lanes, can_be_member, kernel_key
from nnlab.engine.records import Records
from nnlab.engine.tiers import shared_examples
from nnlab.engine.training import CHUNK_SECONDS, Pace, Training, evaluated, joined, steps_to_evaluation

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.native_trainer import NativeTrainer
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
    "validate_every",
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
        ValueError: for members of several shapes, whose arrays would not fit into each other's lanes.
        ConfigError, CheckpointError: as ``train``.
    """

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        problem: Problem,
        resume: Sequence[bytes | None] | None = None,
    ) -> None:
        if len(shapes := {shape_key(config) for config in configs}) > 1:
            raise ValueError(
                f"expected configs of one shape key, got {len(shapes)}; make a population of each"
            )
        kept = resume or [None] * len(configs)
        seconds = min(CHUNK_SECONDS, _ROUND_SECONDS / max(1, len(configs)))
        examples = shared_examples(configs, problem)
        self._members = {
            index: Training(config, problem, checkpoint, chunk_seconds=seconds, examples=examples)
            for index, (config, checkpoint) in enumerate(zip(configs, kept, strict=True))
        }
        self._rounds = self._take_rounds(CHUNK_SECONDS)

    def __next__(self) -> tuple[int, Records]:
        return next(self._rounds)

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

    def _take_rounds(self, seconds: float) -> Generator[tuple[int, Records], None, None]:
        """Let every member advance, those that can share vectors together, until none is left."""
        groups: dict[object, dict[int, NativeTrainer]] = {}
        for index, member in self._members.items():
            trainer = member.trainer
            if can_be_member(trainer):
                groups.setdefault(kernel_key(trainer), {})[index] = trainer
        cohorts = [
            _Cohort(self._members, group, seconds) for group in groups.values() if len(group) >= FEWEST
        ]
        alone = set(self._members).difference(*(cohort.trainers for cohort in cohorts))
        while self._members:
            for index in sorted(alone & set(self._members)):
                yield from self._advance(index)
            for cohort in cohorts:
                yield from cohort.advance()

    def _advance(self, index: int) -> Generator[tuple[int, Records], None, None]:
        member = self._members.get(index)
        if member is None:  # dropped in this round
            return
        records = next(member, None)
        if records is None or records.ended is not None:
            del self._members[index]
        if records is not None:
            yield index, records


class _Cohort:
    """Members that share vectors; each keeps its own place in the population."""

    def __init__(
        self, members: dict[int, Training], trainers: dict[int, NativeTrainer], seconds: float
    ) -> None:
        self.trainers = trainers
        self._members = members
        self._pace = Pace(seconds)
        self._lanes = Lanes(list(trainers.values()))

    def advance(self) -> Generator[tuple[int, Records], None, None]:
        """Take a chunk of steps with all that are left, and tell what each yielded."""
        told: dict[int, list[Records]] = {}
        live = [index for index in self.trainers if index in self._members]
        first = {index: self._members[index].begin() for index in live}
        for index, records in first.items():
            if records is not None:
                told[index] = [records]
        if not told:
            told = self._advance(live)
        for index, parts in told.items():
            if index not in self._members:  # dropped while the others were told
                continue
            if parts[-1].ended is not None:
                del self._members[index]
            yield index, joined(parts)

    def _advance(self, live: list[int]) -> dict[int, list[Records]]:
        told: dict[int, list[Records]] = {index: [] for index in live}
        self._pace.start()
        while live:
            trainers = [self.trainers[index] for index in live]
            count = min(self._pace.steps, *(steps_to_evaluation(trainer) for trainer in trainers))
            with self._pace.timed(count):
                parts = self._lanes.run_chunks(trainers, count)
            for index, trainer, part in zip(live, trainers, parts, strict=True):
                told[index].append(evaluated(part, trainer))
            live = [index for index in live if told[index][-1].ended is None]
            if self._pace.is_over or len(live) < len(trainers):
                break
        return told
