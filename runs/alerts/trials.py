"""Trials of advice as they stand: the pairs of fixes, their verdicts, and how often an advice has helped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db.models import Exists, OuterRef
from django.db.models.fields.json import KeyTextTransform

from runs.alerts.verdicts import DECIDED, Outcome, Pair, RunEnd, Verdict, judge
from runs.models import Alert, Fix, FixPair

Key: TypeAlias = tuple[
    str, tuple[str, ...]
]  # a check, and the codes of the advice that was followed together

_COLUMNS = ("id", "status", "stop_reason", "score", "headline", "deleted_at")


@dataclass(frozen=True)
class Trial:
    """A fix with its pairs and what they say.

    Args:
        metric: the headline metric of its runs, with the ``unit`` of the target.
    """

    fix: Fix
    pairs: Sequence[Pair]
    metric: str
    unit: str
    verdict: Verdict

    @property
    def is_over(self) -> bool:
        """Whether all its pairs are over."""
        return self.verdict.outcome is not Outcome.WAITING


@dataclass(frozen=True)
class HitRate:
    """How often an advice has helped.

    Args:
        title: of the newest trial; where others have other numbers in theirs, it says so.
    """

    check: str
    codes: tuple[str, ...]
    title: str
    helped: int = 0
    worse: int = 0
    no_help: int = 0
    undecided: int = 0

    @property
    def tried(self) -> int:
        """Runs on which it was tried to an end."""
        return self.helped + self.worse + self.no_help + self.undecided


def trials(project: int | None = None, **chosen: Any) -> list[Trial]:
    """Judge the fixes of a project, or of all, the newest first, in two queries.

    Args:
        chosen: conditions on the fixes, such as ``pk=3``.
    """
    fixes = Fix.objects.filter(run__deleted_at=None, **chosen)
    found = list(fixes if project is None else fixes.filter(run__project=project))
    rows = _pairs([fix.pk for fix in found]) if found else {}
    return [_trial(fix, rows[fix.pk]) for fix in found if fix.pk in rows]  # its runs may all be purged


def hit_rates(tried: Iterable[Trial]) -> dict[Key, HitRate]:
    """Count how often each advice has helped, of the trials that are over, the newest first.

    Of a run on which the same was tried again, with more seeds, the last trial that was decided counts.
    """
    last: dict[tuple[Key, int], Trial] = {}
    for trial in tried:
        place = _key(trial.fix), trial.fix.run_id
        if trial.is_over and (place not in last or (_is_decided(trial) and not _is_decided(last[place]))):
            last[place] = trial
    counted: dict[Key, list[Trial]] = defaultdict(list)
    for (key, _), trial in last.items():
        counted[key].append(trial)
    return {key: _rate(key, some) for key, some in sorted(counted.items())}


def _is_decided(trial: Trial) -> bool:
    return trial.verdict.outcome in DECIDED


def _key(fix: Fix) -> Key:
    return fix.check_id, tuple(fix.codes)


def _rate(key: Key, some: Sequence[Trial]) -> HitRate:
    outcomes = [trial.verdict.outcome for trial in some]
    title = some[0].fix.title
    is_same = all(trial.fix.title == title for trial in some)
    return HitRate(
        *key,
        title if is_same else f"{title}, or alike",
        helped=outcomes.count(Outcome.HELPED),
        worse=outcomes.count(Outcome.WORSE),
        no_help=outcomes.count(Outcome.NO_HELP),
        undecided=outcomes.count(Outcome.UNDECIDED),
    )


def _pairs(fixes: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
    open_after = Alert.objects.filter(
        run=OuterRef("after"), check_id=OuterRef("fix__check_id"), state="open"
    ).exclude(severity="info")
    columns = [f"{side}__{column}" for side in ("before", "after") for column in _COLUMNS]
    rows = (
        FixPair.objects.filter(fix__in=fixes)
        .order_by("pk")
        .values("fix", "seed", *columns)
        .annotate(
            before_baseline=KeyTextTransform("baseline_metric", "before__info"),
            after_baseline=KeyTextTransform("baseline_metric", "after__info"),
            before_data=KeyTextTransform("data_version", "before__info"),
            after_data=KeyTextTransform("data_version", "after__info"),
            unit=KeyTextTransform("target_unit", "before__info"),
            still_open=Exists(open_after),
        )
    )
    found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["fix"]].append(row)
    return dict(found)


def _trial(fix: Fix, rows: Sequence[Mapping[str, Any]]) -> Trial:
    pairs = [_pair(row) for row in rows]
    heads = [row[f"{side}__headline"] for row in rows for side in ("before", "after")]
    metric = next((head for head in heads if head), "")
    unit = next((row["unit"] for row in rows if row["unit"]), "")
    return Trial(fix, pairs, metric, unit, judge(pairs, metric))


def _pair(row: Mapping[str, Any]) -> Pair:
    return Pair(row["seed"], _end(row, "before"), _end(row, "after"), row["still_open"])


def _end(row: Mapping[str, Any], side: str) -> RunEnd:
    baseline = row[f"{side}_baseline"]
    return RunEnd(
        run=row[f"{side}__id"],
        status=row[f"{side}__status"],
        stop_reason=row[f"{side}__stop_reason"],
        score=row[f"{side}__score"],
        baseline=None if baseline is None else float(baseline),
        in_trash=row[f"{side}__deleted_at"] is not None,
        data=row[f"{side}_data"],
    )
