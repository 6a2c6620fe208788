"""Small networks of one shape, trained a lane each: what the native tier does with many of them at once."""

from __future__ import annotations

from ctypes import POINTER, c_float, cast, pointer
from time import perf_counter
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from nnlab.engine.alignment import aligned_zeros
from nnlab.engine.native.structures import RunStructure
from nnlab.engine.native_trainer import NativeTrainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.native_trainer import Chunk
    from nnlab.engine.records import Records
    from nnlab.engine.trainer import Trainer

FEWEST = 4  # below this many, one after the other is faster


def can_be_member(trainer: Trainer) -> TypeGuard[NativeTrainer]:
    """Tell whether a run's network is small and plain enough for a lane."""
    return isinstance(trainer, NativeTrainer) and bool(
        trainer.core.nn_can_be_member(pointer(trainer.structure))
    )


def kernel_key(trainer: NativeTrainer) -> tuple[object, ...]:
    """Name what runs must share, besides their shape, to be trained a lane each."""
    run = trainer.structure
    return trainer.step, bool(run.is_shuffled), bool(run.is_weight), run.l1 > 0.0, run.loss, run.output


class Lanes:
    """Trains runs that stand at the same step, as many at once as a vector has lanes.

    Args:
        trainers: of one shape, on the same examples, for each of which ``can_be_member`` holds.
    """

    def __init__(self, trainers: Sequence[NativeTrainer]) -> None:
        self._core = trainers[0].core
        self._lanes = int(self._core.nn_lanes())
        self._work = aligned_zeros(self._core.nn_members_floats(_pointers(trainers[:1])), np.float32)

    def run_chunks(self, trainers: Sequence[NativeTrainer], steps: int) -> list[Records]:
        """Do what ``run_chunk`` does for each, to the last bit."""
        chunks = [trainer.begin_chunk(steps) for trainer in trainers]
        going = list(zip(trainers, chunks, strict=True))
        while going:
            first, chunk = going[0]
            together = min(first.unprobed_steps, chunk.last_step - first.step)
            if together == 0 or len(going) < FEWEST:
                self._one_by_one(going)
            else:
                for start in range(0, len(going), self._lanes):
                    self._at_once(going[start : start + self._lanes], together)
            going = [(trainer, chunk) for trainer, chunk in going if chunk.goes_on]
        return [chunk.records() for chunk in chunks]

    def _at_once(self, members: Sequence[tuple[NativeTrainer, Chunk]], steps: int) -> None:
        before = [trainer.step for trainer, _ in members]
        for trainer, chunk in members:
            trainer.point_into(chunk)
        runs = _pointers([trainer for trainer, _ in members])
        work = cast(self._work.ctypes.data, POINTER(c_float))
        started = perf_counter()
        self._core.nn_train_members(runs, len(members), work, steps)
        seconds = (perf_counter() - started) / len(members)
        for step, (trainer, chunk) in zip(before, members, strict=True):
            done = trainer.structure.step - step
            trainer.note(chunk, done)
            trainer.probe_cost.add_plain(done, seconds)

    def _one_by_one(self, members: Sequence[tuple[NativeTrainer, Chunk]]) -> None:
        for trainer, chunk in members:
            trainer.advance(chunk)


def _pointers(trainers: Sequence[NativeTrainer]) -> object:
    runs = [pointer(trainer.structure) for trainer in trainers]
    return (POINTER(RunStructure) * len(runs))(*runs)
