"""A worker's attempt at the runs that it has claimed: data in, records out, and a heartbeat beside it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import UUID

from django.conf import settings

from nnlab import logs
from nnlab.data.config import DataConfig
from nnlab.data.errors import DataError
from nnlab.data.preparation import Prepared, prepare
from nnlab.engine.errors import EngineError
from nnlab.engine.population import shape_key
from nnlab.engine.problem import Problem
from nnlab.health.facts import DataFacts, describe_data
from runs import lifecycle
from runs.lifecycle import Claims
from runs.models import Run
from runs.training import leaving, limits
from runs.training.company import Company, is_ours
from runs.training.heartbeat import heartbeat
from runs.training.judging import Judge
from runs.training.members import Member
from runs.training.populations import make_population

logger = logging.getLogger(__name__)


def train_claimed(claims: Claims) -> None:
    """Train claimed runs of one sweep to their ends, and say how each ended.

    A run whose configuration cannot be trained fails with the reason, and the others go on without it.
    """
    with leaving.noticed() as is_leaving, heartbeat(claims) as hear:
        _train_all(claims, is_leaving, hear)
        if is_leaving():
            lifecycle.hand_back(claims)  # those that did not begin


def _train_all(claims: Claims, is_leaving: Callable[[], bool], hear: Callable[[], None]) -> None:
    runs = list(Run.objects.filter(pk__in=claims).in_order_of_queue())
    # Those that are trained together are all in their first attempt.
    with logs.bound(attempt=runs[0].attempt), limits.bounded_memory(runs):
        logger.info("training %s run(s) together: %s", len(runs), ", ".join(str(run.pk) for run in runs))
        _prepare_and_train(runs, claims, is_leaving, hear)


def _prepare_and_train(
    runs: Sequence[Run], claims: Claims, is_leaving: Callable[[], bool], hear: Callable[[], None]
) -> None:
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
        if not is_leaving():
            _train(members, problem, is_leaving, hear)


def _begun(run: Run, token: UUID, problem: Problem, facts: DataFacts, prepared: Prepared) -> Member | None:
    """Make a member of a run and write what is known before step 1; None where it cannot be trained."""
    try:
        member = Member(run, token, problem, facts)
    except EngineError as error:
        lifecycle.fail(run.pk, token, "error", str(error))
        return None
    start = partial(member.start, prepared.target_unit or "", prepared.version)
    return member if is_ours(start) else None


def _by_shape(members: Iterable[Member]) -> list[list[Member]]:
    """Part members by their shapes: the keys stored with the runs may be those of an older engine."""
    shapes: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        shapes[shape_key(member.config)].append(member)
    return list(shapes.values())


def _train(
    members: list[Member], problem: Problem, is_leaving: Callable[[], bool], hear: Callable[[], None]
) -> None:
    """Train members together until each has ended by itself, had to leave or was taken away."""
    configs, resume = [member.config for member in members], [member.resume for member in members]
    judge = Judge([(member.run, member.info) for member in members])
    with closing(make_population(configs, problem, resume, is_judged=judge.is_needed)) as population:
        company = Company(population, members, judge, is_leaving)
        for index, records in population:
            hear()
            company.take(index, records)
            company.flush_the_next()
            company.heed()
            company.obey()
            company.keep_now_and_then()
        company.wait_for_the_rest()


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
        target_offset=prepared.target_offset if prepared.target_is_log else 0.0,
        target_is_log=prepared.target_is_log,
        x_test=prepared.x_test,
        y_test=prepared.y_test,
    )
