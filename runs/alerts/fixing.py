"""Rerun with a fix: an alert's advice becomes one sweep of paired seeds, with the change and without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import Q

from nnlab.data import csv_files
from nnlab.data.config import DataConfig
from nnlab.health.advice import Op, apply
from runs import submission
from runs.alerts.verdicts import MOST_SEEDS
from runs.models import ACTIVE, Alert, Fix, FixPair, Project, Run, Source, Status
from runs.submitted.specification import Specification, SubmissionError
from runs.submitted.values import MAX_LABEL

USUAL_SEEDS = 5
BEFORE, AFTER = "before", "with fix"
# Settings of which paired seeds say nothing, and why.
_UNPAIRED = {
    "seed": "the configuration stays as it is but for the seed",
    "data.drop_duplicates": "without repeated rows the score is of other rows, and lower since it is honest",
}

_User: TypeAlias = AbstractBaseUser | AnonymousUser | None
_Advice: TypeAlias = Mapping[str, Any]  # as an alert stores it


@dataclass(frozen=True)
class _Side:
    """One configuration of a fix: its word in names, its submission, and the runs that are there already."""

    word: str
    spec: Specification
    known: Mapping[int, Run]

    @property
    def missing(self) -> Specification:
        """What still has to be trained."""
        runs = tuple(run for run in self.spec.runs if run.training.seed not in self.known)
        return replace(self.spec, runs=runs, seeds=tuple(run.training.seed for run in runs))


def begin(alert: Alert, codes: Sequence[str], seeds: int, user: _User) -> Fix:
    """Follow advice of an alert on paired seeds, the run's own first; what is trained already is reused.

    Two at once, as after a double click, come one after the other: the second finds the runs of the first.

    Args:
        alert: with its run and the run's project.
        codes: of the advice to follow; several are followed together.
        seeds: number of pairs, 1 to ``MOST_SEEDS``.

    Raises:
        SubmissionError: where the advice no longer fits the run, contradicts itself or gives a configuration
            that cannot be trained, and where the same was tried with these seeds already.
    """
    run = alert.run
    _check(run, seeds)
    chosen = _chosen(alert, codes)
    ops = merged(chosen)
    title = " + ".join(advice["title"] for advice in chosen)
    fix = Fix(
        run=run,
        check_id=alert.check_id,
        codes=sorted(advice["code"] for advice in chosen),
        title=title[:500],
        ops=ops,
        created_by_id=user.pk if user else None,
    )
    specs = _specs(run, ops, _seeds(run, seeds), f"Run {run.pk}: {title}"[:MAX_LABEL])
    version = _data_version(specs[0].data)  # advice changes how a file is prepared, not which; read unlocked
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=run.project_id)
        before, after = (
            _Side(word, spec, _known(run, spec, version))
            for word, spec in zip((BEFORE, AFTER), specs, strict=True)
        )
        _store(fix, before, after, user)
    return fix


def followable(advice: _Advice) -> bool:
    """Whether paired seeds can tell if an advice helps: it changes something else than ``_UNPAIRED``."""
    return bool(advice["ops"]) and all(op["path"] not in _UNPAIRED for op in advice["ops"])


def first_code(alert: Alert) -> list[str]:
    """Return the code of an alert's best advice that can be followed; none where there is none."""
    return [advice["code"] for advice in alert.advice if followable(advice)][:1]


def merged(chosen: Iterable[_Advice]) -> list[dict[str, Any]]:
    """Put the changes of several advices together.

    Raises:
        SubmissionError: where two of them want different values of one setting; both are named.
    """
    ops: dict[str, tuple[dict[str, Any], str]] = {}
    for advice in chosen:
        for op in advice["ops"]:
            other, title = ops.setdefault(op["path"], (op, advice["title"]))
            if other["value"] != op["value"]:
                raise _refused(
                    f"{title!r} sets {op['path']} to {other['value']!r} and {advice['title']!r} to "
                    f"{op['value']!r}; choose one of them"
                )
    return [op for op, _ in ops.values()]


def _check(run: Run, seeds: int) -> None:
    if run.source != Source.ENGINE:
        raise _refused(f"run {run.pk} was trained by a program outside; only that program can train it again")
    if not 1 <= seeds <= MOST_SEEDS:
        raise SubmissionError({"seeds": [f"seeds: expected 1 to {MOST_SEEDS} pairs, got {seeds}"]})


def _chosen(alert: Alert, codes: Sequence[str]) -> list[_Advice]:
    offered = {advice["code"]: advice for advice in alert.advice}
    if not codes:
        raise _refused("expected the code of an advice, got none; tick one")
    for code in codes:
        if code not in offered:
            known = ", ".join(offered) or "none"
            raise _refused(f"{alert.title!r} has no advice {code!r}; it has {known}")
        if not followable(offered[code]):
            reasons = [_UNPAIRED[op["path"]] for op in offered[code]["ops"] if op["path"] in _UNPAIRED]
            reason = reasons[0] if reasons else "it changes nothing of the configuration"
            raise _refused(
                f"{offered[code]['title']!r} cannot be judged on paired seeds: {reason};"
                " clone the run with this change instead"
            )
    return [advice for code, advice in offered.items() if code in codes]


def _specs(
    run: Run, ops: Sequence[Mapping[str, Any]], seeds: list[int], name: str
) -> tuple[Specification, Specification]:
    """Give the run's configuration and the changed one, each with the seeds."""
    original = {**run.config["training"], "data": run.config["data"]}
    try:
        changed = apply(original, [Op(**op) for op in ops])
    except ValueError as error:
        raise _refused(str(error)) from error
    before, after = (_parsed(run, config, seeds, name) for config in (original, changed))
    if before.runs[0].group == after.runs[0].group:
        raise _refused("the advice changes nothing of this configuration; choose another one")
    return before, after


def _parsed(run: Run, config: Mapping[str, Any], seeds: list[int], name: str) -> Specification:
    """Check a configuration with the validator that every submission meets."""
    training = {key: value for key, value in config.items() if key not in {"data", "seed"}}
    return submission.parse(
        {
            "project": run.project.slug,
            "name": name,
            "data": config["data"],
            "training": training,
            "seeds": seeds,
        }
    )


def _known(run: Run, spec: Specification, version: str | None) -> dict[int, Run]:
    """Find a run of the project for each seed that has one; the run itself first, then finished ones.

    Args:
        version: of the data that they must have had; None where data stay as they are.
    """
    usable = Q(status__in=[*ACTIVE, Status.FINISHED], cancel_requested=False) | Q(stop_reason="diverged")
    found = Run.objects.kept().filter(
        usable, project=run.project, source=Source.ENGINE, group=spec.runs[0].group, seed__in=spec.seeds
    )
    usual = [one for one in found if version is None or one.info.get("data_version", version) == version]
    ranked = sorted(usual, key=lambda one: (one.pk != run.pk, not one.is_over, one.pk))
    return {int(one.seed): one for one in reversed(ranked) if one.seed is not None}


def _data_version(data: DataConfig) -> str | None:
    """Name the content that a data file has now; None for what ships with nnlab and stays as it is."""
    if not data.is_csv:
        return None
    return csv_files.load(Path(settings.CSV_FOLDER), data.dataset, data.target, data.task).version()


def _store(fix: Fix, before: _Side, after: _Side, user: _User) -> None:
    parts = {side.word: side.missing for side in (before, after) if side.missing.runs}
    seeds = before.spec.seeds
    if parts:
        fix.sweep = submission.submit_together(parts, user, parent=fix.run)
    else:
        _refuse_repetition(fix, seeds)
    fix.save()
    trained = list(fix.sweep.runs.all()) if fix.sweep else []
    runs = [
        {**side.known, **{one.seed: one for one in trained if one.group == side.spec.runs[0].group}}
        for side in (before, after)
    ]
    FixPair.objects.bulk_create(
        FixPair(fix=fix, seed=seed, before=runs[0][seed], after=runs[1][seed]) for seed in seeds
    )


def _refuse_repetition(fix: Fix, seeds: Sequence[int]) -> None:
    for earlier in Fix.objects.filter(run=fix.run, check_id=fix.check_id).prefetch_related("pairs"):
        if earlier.ops == fix.ops and {pair.seed for pair in earlier.pairs.all()} >= set(seeds):
            raise _refused(
                f"{fix.title!r} is or was tried with these {len(seeds)} seeds already; ask for more seeds"
            )


def _seeds(run: Run, count: int) -> list[int]:
    """Choose the run's own seed, and the smallest others."""
    own = int(run.config["training"]["seed"])
    others = [seed for seed in range(count) if seed != own]
    return [own, *others][:count]


def _refused(message: str) -> SubmissionError:
    return SubmissionError({"advice": [message]})
