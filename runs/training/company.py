"""The members of a population while a worker trains them: who writes when, is kept when, and leaves why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection

from nnlab.engine.errors import CheckpointError
from nnlab.engine.records import Ending
from runs import lifecycle
from runs.lifecycle import Wish
from runs.store.outage import AWAY
from runs.training.judging import Judge
from runs.training.members import Member, Parting
from runs.training.recording import RunTakenError

if TYPE_CHECKING:
    from nnlab.engine.populations import AnyPopulation
    from nnlab.engine.records import Records

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0  # between two flushes of a member, at least
FLUSH_SHARE = 0.1  # of a worker's time, at most: many members wait longer for their turns
LOOK_SECONDS = 1.0  # between two looks at what the owners wish
KEEP_SHARE = 0.01  # of a worker's time, at most: those of many or large members come less often
LARGE = 2**20  # bytes of a checkpoint that is not held until its member's turn to write


class Company:
    """The members of a population that go on, in the order in which they are flushed.

    Args:
        judge: of the search that they belong to.
        is_leaving: whether the worker is being stopped, so that all members have to leave.
    """

    def __init__(
        self,
        population: AnyPopulation,
        members: Iterable[Member],
        judge: Judge,
        is_leaving: Callable[[], bool],
    ) -> None:
        self._population = population
        self._judge = judge
        self._members = dict(enumerate(members))
        self._had_company = len(self._members) > 1
        self._is_leaving = is_leaving
        self._ending: list[
            tuple[Member, Parting]
        ] = []  # they have left, and the database has not heard of it
        self._next_flush = 0.0
        self._next_look = monotonic() + LOOK_SECONDS
        self._next_heed = monotonic() + LOOK_SECONDS
        self._to_hold: set[int] = set()
        self._to_keep: set[int] = set()
        self._rhythm = _Rhythm()

    def take(self, index: int, records: Records) -> None:
        """Take a member's records; it leaves where they are its last, or it has to."""
        member = self._members[index]
        member.take(records)
        self._judge.hear(member.run_id, records)
        if records.ended is not None:
            self._heed(ended=member.run_id)  # what it has shown counts for the others
        why = self._why_parting(index, records)
        if why is not None:
            self._part(index, records, why)
        elif index in self._to_keep and self._keep(index, member) > LARGE:
            self._flush(index, member)

    def flush_the_next(self) -> None:
        """Flush the member whose turn it is, if it has waited long enough and the last flush has paid off."""
        now = monotonic()
        index, member = next(iter(self._members.items()), (None, None))
        if member is None or index is None or now < max(member.flushed + FLUSH_SECONDS, self._next_flush):
            return
        self._flush(index, member)
        self._next_flush = now + (monotonic() - now) / FLUSH_SHARE

    def keep_now_and_then(self) -> None:
        """See to it that each member is kept soon, if it is time."""
        self._to_keep &= self._members.keys()
        if not self._to_keep and self._rhythm.is_due():
            self._to_keep = {index for index, member in self._members.items() if member.can_be_kept}

    def obey(self) -> None:
        """Ask now and then what the owners wish: those whom nobody wants any more leave at once."""
        if monotonic() < self._next_look:
            return
        wishes = self._wishes()
        wished = {index: wishes.get(member.run_id) for index, member in self._members.items()}
        self._to_hold = {index for index, wish in wished.items() if wish is Wish.PAUSE}
        for index, wish in wished.items():
            if wish is Wish.CANCEL:
                self._leave(index, Parting.CANCELLED)
        self._next_look = monotonic() + LOOK_SECONDS

    def heed(self) -> None:
        """Let those leave whom the rules of their search stop, as soon as these have something to say."""
        if self._judge.is_due or (self._judge.is_halving and monotonic() >= self._next_heed):
            self._heed()

    def wait_for_the_rest(self) -> None:
        """Write how the last members left, once the database is there again."""
        while self._ending and not self._is_leaving():
            sleep(LOOK_SECONDS)
            waiting, self._ending = self._ending, []
            for member, why in waiting:
                self._conclude(member, why)

    def _heed(self, ended: int | None = None) -> None:
        claims = {member.run_id: member.token for member in self._members.values()}
        try:
            verdicts = self._judge.verdicts(claims)
        except AWAY as error:
            _log_away(error)
            return
        finally:
            self._next_heed = monotonic() + LOOK_SECONDS
        for index, member in list(self._members.items()):
            verdict = verdicts.get(member.run_id)
            if verdict is not None and member.run_id != ended:
                member.halt(verdict)
                self._leave(index, Parting.HALTED)

    def _why_parting(self, index: int, records: Records) -> Parting | None:
        if records.ended is not None:
            return Parting.ENDED
        if self._is_leaving():
            return Parting.GIVEN_BACK
        if self._members[index].is_out_of_time:
            return Parting.SENT_ALONE if self._had_company else Parting.TIMED_OUT
        return Parting.HELD if index in self._to_hold else None

    def _part(self, index: int, records: Records, why: Parting) -> None:
        """Keep a member and let it leave, or wait for more of its records where it can be kept only then."""
        member = self._members[index]
        if why is Parting.ENDED:
            member.end(records)
        can_be_kept = member.can_be_kept and records.ended is not Ending.DIVERGED
        if can_be_kept and not self._keep(index, member) and why is not Parting.ENDED:
            return
        self._leave(index, why)

    def _keep(self, index: int, member: Member) -> int:
        """Keep a member as it stands. Returns the bytes; 0 where records of it have to be told first."""
        with self._rhythm.spending():
            try:
                checkpoint = self._population.checkpoint(index)
            except CheckpointError:
                return 0
            member.keep(checkpoint)
        self._to_keep.discard(index)
        return len(checkpoint)

    def _flush(self, index: int, member: Member) -> None:
        """Flush a member; it is then the last in turn, or gone where its run is not ours any more."""
        del self._members[index]
        before = member.keeping_seconds
        if is_ours(member.flush):
            self._members[index] = member
        else:
            self._population.drop(index)
        self._rhythm.spent += member.keeping_seconds - before

    def _leave(self, index: int, why: Parting) -> None:
        self._population.drop(index)
        self._conclude(self._members.pop(index), why)

    def _conclude(self, member: Member, why: Parting) -> None:
        """Write how a member left, now or later."""
        try:
            written = member.conclude(why)
        except RunTakenError as error:
            logger.warning("%s", error)
            return
        if not written:
            self._ending.append((member, why))

    def _wishes(self) -> Mapping[int, Wish]:
        claims = {member.run_id: member.token for member in self._members.values()}
        try:
            return lifecycle.wishes(claims)
        except AWAY as error:
            _log_away(error)
            return {}


class _Rhythm:
    """When the next checkpoints are due: so seldom that they cost next to nothing.

    Attributes:
        spent: seconds on them so far.
    """

    def __init__(self) -> None:
        self.spent = 0.0
        self._began = monotonic()
        self._next = self._began + settings.CHECKPOINT_SECONDS

    def is_due(self) -> bool:
        """Whether it is time; it counts as done from now on."""
        now = monotonic()
        if now < self._next or self.spent > KEEP_SHARE * (now - self._began):
            return False
        self._next = now + settings.CHECKPOINT_SECONDS
        return True

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time of the block."""
        began = monotonic()
        try:
            yield
        finally:
            self.spent += monotonic() - began


def _log_away(error: Exception) -> None:
    logger.warning("the database does not answer, training goes on: %s", error)
    connection.close()


def is_ours(write: Callable[[], None]) -> bool:
    """Write for a member; False where its run was taken from this worker, so that it has to leave."""
    try:
        write()
    except RunTakenError as error:
        logger.warning("%s", error)
        return False
    return True
