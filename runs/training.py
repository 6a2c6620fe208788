"""A worker's attempt at the runs that it has claimed: data in, records out, and a heartbeat beside it."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from uuid import UUID

from django.conf import settings
from django.db import connection

from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import Prepared, prepare
from nnlab.engine.errors import EngineError
from nnlab.engine.population import shape_key
from nnlab.engine.populations import AnyPopulation, make_population
from nnlab.engine.problem import Problem
from nnlab.engine.records import Records
from nnlab.health.facts import DataFacts, describe_data
from runs import lifecycle
from runs.lifecycle import Claims, Wish
from runs.members import Member
from runs.models import Run
from runs.recording import RunTakenError
from runs.store.outage import AWAY

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0  # between two flushes of a member, at least
FLUSH_SHARE = 0.1  # of a worker's time, at most: many members wait longer for their turns
LOOK_SECONDS = 1.0  # between two looks for members that shall stop


def train_claimed(claims: Claims) -> None:
    """Train claimed runs of one sweep to their ends, and say how each ended.

    A run whose configuration cannot be trained fails with the reason, and the others go on without it.
    """
    runs = list(Run.objects.filter(pk__in=claims).in_order_of_queue())
    with _heartbeat(claims):
        try:
            prepared = prepare(DataConfig.from_dict(runs[0].config["data"]), Path(settings.CSV_FOLDER))
        except DataError as error:
            for run_id, token in claims.items():
                lifecycle.fail(run_id, token, "error", str(error))
            return
        problem = problem_of(prepared)
        facts = describe_data(problem)
        begun = [_begun(run, claims[run.pk], problem, facts, prepared) for run in runs]
        for members in _by_shape(member for member in begun if member is not None):
            _train(members, problem)


def _begun(run: Run, token: UUID, problem: Problem, facts: DataFacts, prepared: Prepared) -> Member | None:
    """Make a member of a run and write what is known before step 1; None where it cannot be trained."""
    try:
        member = Member(run, token, problem, facts)
    except EngineError as error:
        lifecycle.fail(run.pk, token, "error", str(error))
        return None
    start = partial(member.start, prepared.target_unit or "", prepared.version)
    return member if _is_ours(start) else None


def _by_shape(members: Iterable[Member]) -> list[list[Member]]:
    """Part members by their shapes: the keys stored with the runs may be those of an older engine."""
    shapes: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        shapes[shape_key(member.config)].append(member)
    return list(shapes.values())


def _train(members: list[Member], problem: Problem) -> None:
    """Train members together until each has ended by itself, was stopped or was taken away."""
    with closing(make_population([member.config for member in members], problem)) as population:
        company = _Company(population, members)
        for index, records in population:
            company.take(index, records)
            company.flush_the_next()
            company.stop_the_unwanted()
        company.wait_for_the_rest()


class _Company:
    """The members of a population that go on, in the order in which they are flushed."""

    def __init__(self, population: AnyPopulation, members: Iterable[Member]) -> None:
        self._population = population
        self._members = dict(enumerate(members))
        self._ending: list[Member] = []  # they have ended, and the database has not heard of it
        self._next_flush = 0.0
        self._next_look = monotonic() + LOOK_SECONDS

    def take(self, index: int, records: Records) -> None:
        """Take a member's records; where they are its last, it leaves."""
        self._members[index].take(records)
        if records.ended is not None:
            member = self._members.pop(index)
            member.end(records)
            self._conclude(member)

    def flush_the_next(self) -> None:
        """Flush the member whose turn it is, if it has waited long enough and the last flush has paid off."""
        now = monotonic()
        index, member = next(iter(self._members.items()), (None, None))
        if member is None or index is None or now < max(member.flushed + FLUSH_SECONDS, self._next_flush):
            return
        del self._members[index]
        if _is_ours(member.flush):
            self._members[index] = member
        else:
            self._population.drop(index)
        self._next_flush = now + (monotonic() - now) / FLUSH_SHARE

    def stop_the_unwanted(self) -> None:
        """Ask now and then whose owners want them to stop, and stop those."""
        if monotonic() < self._next_look:
            return
        unwanted = self._unwanted()
        for index in [index for index, member in self._members.items() if member.run_id in unwanted]:
            self._population.drop(index)
            self._conclude(self._members.pop(index))
        self._next_look = monotonic() + LOOK_SECONDS

    def wait_for_the_rest(self) -> None:
        """Write how the last members ended, once the database is there again."""
        while self._ending:
            sleep(LOOK_SECONDS)
            waiting, self._ending = self._ending, []
            for member in waiting:
                self._conclude(member)

    def _conclude(self, member: Member) -> None:
        """Write how a member ended, now or later."""
        try:
            written = member.conclude()
        except RunTakenError as error:
            logger.warning("%s", error)
            return
        if not written:
            self._ending.append(member)

    def _unwanted(self) -> Collection[int]:
        claims = {member.run_id: member.token for member in self._members.values()}
        try:
            return [run_id for run_id, wish in lifecycle.wishes(claims).items() if wish is Wish.CANCEL]
        except AWAY as error:
            logger.warning("the database does not answer, training goes on: %s", error)
            connection.close()
            return ()


def _is_ours(write: Callable[[], None]) -> bool:
    """Write for a member; False where its run was taken from this worker, so that it has to leave."""
    try:
        write()
    except RunTakenError as error:
        logger.warning("%s", error)
        return False
    return True


def problem_of(prepared: Prepared) -> Problem:
    """Hand prepared data to the engine."""
    return Problem(
        task=prepared.task,
        x_train=prepared.x_train,
        y_train=prepared.y_train,
        x_val=prepared.x_val,
        y_val=prepared.y_val,
        outputs=prepared.outputs,
        target_scale=prepared.target_scale,
    )


@contextmanager
def _heartbeat(claims: Claims) -> Iterator[None]:
    """Prolong the leases from a thread, so that a long step or a slow disk does not cost the runs."""
    ended = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(claims, ended), name=f"heartbeat-{next(iter(claims))}", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(claims: Claims, ended: threading.Event) -> None:
    try:
        while not ended.wait(lifecycle.HEARTBEAT.total_seconds()):
            try:
                if not lifecycle.beat(claims):
                    return
            except AWAY as error:  # the database is away: the leases may outlast it
                logger.warning("heartbeat of %s run(s) failed: %s", len(claims), error)
                connection.close()
    finally:
        connection.close()
