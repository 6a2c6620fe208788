"""A run's alerts as its page shows them: cards with their advice, and the trials of that advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlab.stats.differences import Difference
from runs.alerts.fixing import AFTER, BEFORE, USUAL_SEEDS, followable
from runs.alerts.trials import HitRate, Key, Trial, hit_rates, trials
from runs.alerts.verdicts import MOST_SEEDS
from runs.charts.chart import Chart
from runs.charts.pairs import PairView, pair_plot
from runs.models import Alert, Run
from runs.pages.formats import is_share, metric_title, sentence, unit_of
from runs.pages.run.view import RunPage
from runs.reading.metrics import higher_is_better

SEED_COUNTS = (3, USUAL_SEEDS, 10, 20, MOST_SEEDS)  # of pairs, to choose from


@dataclass(frozen=True)
class AdviceView:
    """One advice of an alert.

    Args:
        advice: as the alert stores it.
        followable: whether paired seeds can tell if it helps.
        rate: how often it has helped in the project; None where it was never tried to an end.
    """

    advice: Mapping[str, Any]
    followable: bool
    rate: HitRate | None


@dataclass(frozen=True)
class AlertCard:
    """An alert with its advice and the trials of it."""

    alert: Alert
    advice: Sequence[AdviceView]
    trials: Sequence[Trial]

    @property
    def followable(self) -> int:
        """How many of its advices can be followed."""
        return sum(view.followable for view in self.advice)


@dataclass(frozen=True)
class TrialCard:
    """A trial with its chart, what it says in words, and the runs that the comparison shows."""

    trial: Trial
    chart: Chart | None
    words: str
    runs: str


@dataclass(frozen=True)
class RunAlerts:
    """All that the page of a run shows of its alerts; muted ones are in a fold."""

    shown: Sequence[AlertCard] = ()
    muted: Sequence[AlertCard] = ()
    trials: Sequence[TrialCard] = ()


def show(page: RunPage) -> dict[str, Any]:
    """Return what the tab of the alerts needs: all of them, and what was tried against them."""
    return {"alerts": run_alerts(page.run, page.alerts), "seed_counts": SEED_COUNTS, "cursor": ""}


def news(page: RunPage, after: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the alerts as they are now."""
    context = {"alerts": run_alerts(page.run, page.alerts), "seed_counts": SEED_COUNTS}
    return {"context": context, "next": after}, {"alerts": "runs/_alerts.html"}


def run_alerts(run: Run, alerts: Iterable[Alert]) -> RunAlerts:
    """Put together what the page of a run shows, from the trials of its project."""
    of_project = trials(run.project_id)
    rates = hit_rates(of_project)
    own = [trial for trial in of_project if trial.fix.run_id == run.pk]
    cards = [_card(alert, own, rates) for alert in alerts]
    return RunAlerts(
        shown=[card for card in cards if not card.alert.is_muted],
        muted=[card for card in cards if card.alert.is_muted],
        trials=[trial_card(trial) for trial in own],
    )


def trial_card(trial: Trial) -> TrialCard:
    """Put together what a page shows of a trial; its chart is drawn when all pairs are over."""
    numbers = [end.run for pair in trial.pairs for end in (pair.before, pair.after) if not end.in_trash]
    return TrialCard(
        trial, _chart(trial) if trial.is_over else None, trial_words(trial), ",".join(map(str, numbers))
    )


def trial_words(trial: Trial) -> str:
    """Say the paired difference in one sentence; nothing before the first pair counts."""
    found = trial.verdict.difference
    if found is None:
        return ""
    pairs = Difference(found.mean, found.low, found.high, None, True, found.n, found.n, 0, 0)
    unit, scale = ("points", 100.0) if is_share(trial.metric) else (unit_of(trial.metric, trial.unit), 1.0)
    return f"{sentence(metric_title(trial.metric))} with the fix: {pairs.sentence(unit, scale)}."


def _card(alert: Alert, own: Sequence[Trial], rates: Mapping[Key, HitRate]) -> AlertCard:
    return AlertCard(
        alert,
        [
            AdviceView(advice, followable(advice), rates.get((alert.check_id, (advice["code"],))))
            for advice in alert.advice
        ],
        [trial for trial in own if trial.fix.check_id == alert.check_id],
    )


def _chart(trial: Trial) -> Chart:
    title = metric_title(trial.metric)
    unit = unit_of(trial.metric, trial.unit)
    views = [
        PairView(pair.seed, *pair.values, pair.before.diverged, pair.after.diverged)
        for pair in trial.pairs
        if pair.is_over and pair.values is not None
    ]
    return pair_plot(
        f"fix-{trial.fix.pk}-pairs",
        f"{sentence(title)} of each seed",
        views,
        y_title=f"{title} ({unit})" if unit else title,
        higher_is_better=higher_is_better(trial.metric),
        percent=is_share(trial.metric),
        words=(BEFORE, AFTER),
    )
