"""How past runs ended, as a judge of alerts that reads no alert."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from nnlab.health.thresholds import THRESHOLDS
from runs.models import Run, Source, Status

RULE = (
    "A run failed if it diverged, ended without a score, with one no better than a constant answer's, or with"
    " one that is not even half of the way from there to the median of its project's finished runs on the"
    " same data (where there are at least three). Runs that were stopped or broke off are not counted."
)
LEAST_RUNS = 3
_HALF = 0.5

Kind: TypeAlias = tuple[int, str, str]  # project, dataset, headline


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        failed: None where nobody can say.
    """

    failed: bool | None
    reason: str


def outcomes(runs: Iterable[Run]) -> dict[int, Outcome]:
    """Say of runs how they ended, by their key."""
    chosen = list(runs)
    medians = _medians({run.project_id for run in chosen})
    return {run.pk: _outcome(run, medians.get(_kind(run))) for run in chosen}


def _outcome(run: Run, usual: float | None) -> Outcome:
    if run.diverged:
        return Outcome(failed=True, reason="diverged")
    if run.status != Status.FINISHED:
        return Outcome(failed=None, reason=run.stop_reason or run.status)
    return _of_score(run, usual)


def _of_score(run: Run, usual: float | None) -> Outcome:
    if run.score is None or not math.isfinite(run.score):
        return Outcome(failed=True, reason="ended without a score")
    baseline = run.info.get("baseline_metric")
    if not isinstance(baseline, int | float):
        return Outcome(failed=None, reason="its baseline is not known")
    if _is_no_better(run.headline, run.score, baseline):
        return Outcome(failed=True, reason="no better than a constant answer")
    if usual is not None and abs(run.score - baseline) < _HALF * _gain(run.headline, usual, baseline):
        return Outcome(failed=True, reason="far below the project's median")
    return Outcome(failed=False, reason="fine")


def _is_no_better(headline: str, score: float, baseline: float) -> bool:
    """Compare as the checks do: errors as R squared."""
    margin = THRESHOLDS.progress["metric_margin"]
    if headline.endswith("accuracy"):
        return not score > baseline + margin
    return not (baseline > 0 and 1 - (score / baseline) ** 2 > margin)


def _gain(headline: str, score: float, baseline: float) -> float:
    return score - baseline if headline.endswith("accuracy") else baseline - score


def _medians(projects: Iterable[int]) -> Mapping[Kind, float]:
    finished = Run.objects.kept().filter(
        project__in=list(projects), source=Source.ENGINE, status=Status.FINISHED
    )
    scores: dict[Kind, list[float]] = defaultdict(list)
    for project, dataset, headline, score in finished.values_list("project", "dataset", "headline", "score"):
        if score is not None:
            scores[project, dataset, headline].append(score)
    return {kind: median(found) for kind, found in scores.items() if len(found) >= LEAST_RUNS}


def _kind(run: Run) -> Kind:
    return run.project_id, run.dataset, run.headline
