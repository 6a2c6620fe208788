"""Populations on a GPU: the interface of nnlab.engine.population, over cohorts of members."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nnlab.engine.activations import ACTIVATION
from nnlab.engine.checkpoints import Checkpoint, fingerprint
from nnlab.engine.device.cohort import Cohort, Shared
from nnlab.engine.device.cupy_backend import CupyBackend
from nnlab.engine.device.evaluation import Scale
from nnlab.engine.device.member import Member
from nnlab.engine.device.stack import Examples
from nnlab.engine.errors import CheckpointError
from nnlab.engine.population import shape_key
from nnlab.engine.records import Ending, Records
from nnlab.engine.training import plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.device.backend import Backend
    from nnlab.engine.device.cohort import Told
    from nnlab.engine.problem import Problem


class DevicePopulation(Iterator[tuple[int, Records]]):
    """Runs of one shape, in progress: an iterator of (member, records), in rounds.

    The members of a round have all trained before the first of them is told. Records agree with those of the
    reference to rounding, and are the same to the last bit whatever the other members do, as far as the
    device's products are the same for any number of matrices.

    Args:
        configs: at least one, all of one shape key.
        resume: a checkpoint for each member, or None for one that starts anew.
        backend: CuPy where it is left out.

    Raises:
        ConfigError: as ``plan``.
        ValueError: for no config, or for members of several shapes.
        EngineError: where there is no GPU.
        CheckpointError: for bytes that are damaged, no checkpoint, or one of another run.
    """

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        problem: Problem,
        resume: Sequence[bytes | None] | None = None,
        *,
        backend: Backend | None = None,
    ) -> None:
        if len(shapes := {shape_key(config) for config in configs}) != 1:
            raise ValueError(
                f"expected members of one shape, got {len(configs)} of {len(shapes)}; split them"
            )
        rows, inputs = problem.x_train.shape
        first = configs[0]
        plan(first, task=problem.task, inputs=inputs, outputs=problem.outputs, rows=rows)
        backend = CupyBackend() if backend is None else backend
        self._problem = problem
        self._shared = Shared(
            backend,
            Examples(backend, first, problem),
            Scale.of(problem),
            tuple(ACTIVATION[name].can_die for name in first.activations),
            rows // first.batch_size,
            first.validate_every or rows // first.batch_size,
        )
        self._members = {index: Member.of(index, config, rows) for index, config in enumerate(configs)}
        self._cohorts: dict[int, Cohort] = {}  # of each member
        self._round: deque[tuple[Member, Records]] = deque()
        self._waiting: deque[Cohort] = deque()
        self._begun: set[int] = set()  # members of which something was told
        self._start(resume or [None] * len(configs))

    def _start(self, resume: Sequence[bytes | None]) -> None:
        """Form a cohort of the members that start anew, and one for each position of those that go on."""
        together: dict[tuple[object, ...], list[tuple[Member, Checkpoint | None]]] = {}
        for member, data in zip(self._members.values(), resume, strict=True):
            kept = None if data is None else self._opened(member, data)
            place: tuple[object, ...] = ()
            if kept is not None:
                place = tuple(
                    kept.counters[k] for k in ("step", "has_begun", "due", "burst_steps", "burst_rows")
                )
            together.setdefault(place, []).append((member, kept))
        for found in together.values():
            cohort = Cohort(self._shared, [member for member, _ in found])
            checkpoints = [kept for _, kept in found if kept is not None]
            if checkpoints:
                cohort.restore(checkpoints)
            self._cohorts |= {member.index: cohort for member in cohort.members}
            self._waiting.append(cohort)
            for member in cohort.members:
                if member.ended is not None:
                    nothing = Records(cohort.stack.step + 1, np.empty(0), np.empty(0), ended=member.ended)
                    self._round.append((member, nothing))

    def _opened(self, member: Member, data: bytes) -> Checkpoint:
        """Read a checkpoint, and let its member go on from it."""
        kept = Checkpoint.from_bytes(data)
        kept.check(member.config.to_dict(), self._fingerprint)
        member.go_on(kept.counters)
        if kept.counters["has_begun"]:
            self._begun.add(member.index)
        return kept

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._problem)

    def __next__(self) -> tuple[int, Records]:
        while not self._round and self._waiting:
            self._round.extend(self._advanced(self._waiting.popleft()))
        if not self._round:
            self.close()
            raise StopIteration
        member, records = self._round.popleft()
        self._begun.add(member.index)
        return member.index, records

    def _advanced(self, cohort: Cohort) -> Told:
        """Train a cohort for a chunk; forget its members that have ended."""
        for member in cohort.members:
            if not member.is_live:
                self._cohorts.pop(member.index, None)
        if cohort.is_over:
            return []
        narrow = cohort.narrowed()
        self._cohorts |= {member.index: narrow for member in narrow.members if member.is_live}
        self._waiting.append(narrow)
        begins = not any(member.index in self._begun for member in narrow.members)
        return narrow.begin() if begins else narrow.advance()

    def drop(self, index: int) -> None:
        """Stop a member; the others go on."""
        member = self._members[index]
        member.is_dropped = True
        self._cohorts.pop(index, None)
        self._round = deque(told for told in self._round if told[0] is not member)

    def checkpoint(self, index: int) -> bytes:
        """Keep a member as it stands after its last records, for either kind of population.

        Raises:
            CheckpointError: for a member that has diverged, or whose records of this round are still to come.
            KeyError: for a member that was dropped, or that has ended in an earlier round.
        """
        cohort, member = self._cohorts[index], self._members[index]
        if member.ended is Ending.DIVERGED:
            raise CheckpointError("expected a run that can go on, got one that has diverged")
        if any(waiting is member for waiting, _ in self._round):
            raise CheckpointError(
                f"expected a member whose records are all told, got member {index} with some of this round to"
                " come; keep a member right after its records"
            )
        counters, arrays = cohort.checkpoint(member)
        counters["has_begun"] = index in self._begun
        return Checkpoint(member.config.to_dict(), self._fingerprint, counters, arrays).to_bytes()

    def close(self) -> None:
        """Stop all members, and free the device."""
        self._round.clear()
        self._waiting.clear()
        self._cohorts.clear()
