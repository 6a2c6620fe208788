"""Rerun with a fix: what is submitted, what is reused, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from runs import submission
from runs.alerts import fixing
from runs.alerts.trials import hit_rates, trials
from runs.alerts.verdicts import Outcome
from runs.models import Alert, Fix, FixPair, Mute, Run, Source, Status, Sweep
from runs.submitted.specification import SubmissionError, group_of
from runs.tasks import train_next
from runs.training.findings import _store_event
from tests.runs import builders
from tests.runs.test_alerts_stored import event

pytestmark = pytest.mark.django_db

SICK = {"hidden_units": (8, 8), "activation": "sigmoid", "steps": 20, "learning_rate": 0.1, "seed": 1}


def op(path: str, value: Any, old: Any) -> dict[str, Any]:
    return {"op": "set", "path": path, "value": value, "old": old}


def advice(code: str, *ops: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": code, "title": f"advice {code}", "reason": "because", "ops": list(ops)}


ADVICE = [
    advice("A1", op("activation", "relu", "sigmoid")),
    advice("A3", op("learning_rate", 0.01, 0.1)),
    advice("A5", op("optimizer", "adam", "sgd"), op("learning_rate", 0.001, 0.1)),
    advice("A9", op("data.recipe", "default", "raw")),
    advice("A15", op("seed", 2, 1)),
    advice("A24", op("data.drop_duplicates", True, None)),
    advice("A16", op("hidden_units", [-4], [8, 8])),
]


def sick_alert(**training: Any) -> Alert:
    """Make a finished run whose advice fits it, with the group that its submission has."""
    run = builders.build_finished_run(
        training={**SICK, "optimizer": "sgd", **training}, data={"recipe": "raw"}, score=0.1
    )
    Run.objects.filter(pk=run.pk).update(group=submission.parse(submission.as_mapping(run)).runs[0].group)
    alert = builders.build_alert(run, advice=ADVICE)
    return Alert.objects.select_related("run__project").get(pk=alert.pk)


def refusal(alert: Alert, *codes: str, seeds: int = 2) -> str:
    counts = Run.objects.count(), Sweep.objects.count()
    with pytest.raises(SubmissionError) as refused:
        fixing.begin(alert, codes, seeds, None)
    assert (Run.objects.count(), Sweep.objects.count()) == counts
    assert not Fix.objects.exists()
    return str(refused.value)


def finish(runs: Any, **columns: Any) -> None:
    """End runs as a worker would: their rows differ from queued ones by these columns only."""
    moment = timezone.now()
    over = {"status": Status.FINISHED, "stop_reason": "end", "started_at": moment, "ended_at": moment}
    runs.update(**over, headline="val_accuracy", info=builders.INFO, **columns)


def test_one_sweep_holds_what_is_missing_and_the_own_run_comes_first() -> None:
    alert = sick_alert()
    fix = fixing.begin(alert, ["A1"], 3, builders.build_user())
    pairs = list(fix.pairs.select_related("before", "after"))
    assert [pair.seed for pair in pairs] == [1, 0, 2]
    assert pairs[0].before == alert.run
    assert fix.sweep is not None
    assert fix.sweep.name == f"Run {alert.run_id}: advice A1"
    assert fix.sweep.runs.count() == 5
    for pair in pairs:
        old, new = pair.before.config["training"], pair.after.config["training"]
        assert {key for key in new if new[key] != old[key]} == {"activation"}
        assert pair.before.config["data"] == pair.after.config["data"]
        assert old["seed"] == new["seed"] == pair.seed
        assert pair.after.parent == alert.run
    assert {run.name.partition(":")[0] for run in fix.sweep.runs.all()} == {"before", "with fix"}


def test_ticked_advice_is_followed_together_even_in_the_data() -> None:
    fix = fixing.begin(sick_alert(), ["A9", "A3"], 1, None)
    after = fix.pairs.get().after
    assert (after.config["data"]["recipe"], after.learning_rate) == ("default", 0.01)
    assert (fix.codes, fix.title) == (["A3", "A9"], "advice A3 + advice A9")


def test_a_run_that_is_not_over_is_waited_for_and_a_stopped_one_trained_again() -> None:
    running, stopped = sick_alert(), sick_alert()
    Run.objects.filter(pk=running.run_id).update(status=Status.QUEUED, started_at=None, ended_at=None)
    Run.objects.filter(pk=stopped.run_id).update(status=Status.CANCELLED, stop_reason="cancelled")
    assert fixing.begin(running, ["A1"], 1, None).pairs.get().before == running.run
    assert fixing.begin(stopped, ["A1"], 1, None).pairs.get().before != stopped.run


def test_more_seeds_train_only_what_is_new() -> None:
    alert = sick_alert()
    first = fixing.begin(alert, ["A1"], 2, None)
    second = fixing.begin(alert, ["A1"], 4, None)
    assert second.sweep is not None
    assert second.sweep.runs.count() == 4
    assert set(first.pairs.values_list("after", flat=True)) < set(
        second.pairs.values_list("after", flat=True)
    )


def test_runs_on_a_file_that_was_replaced_are_trained_again(settings: Any, tmp_path: Path) -> None:
    settings.CSV_FOLDER = tmp_path
    (tmp_path / "own.csv").write_text("x,y\n" + "".join(f"{k},{k % 7}\n" for k in range(60)))
    training = {**SICK, "optimizer": "sgd", "steps": 20}
    run = builders.build_run(training=training, data={"dataset": "own.csv", "target": "y"})
    Run.objects.filter(pk=run.pk).update(group=submission.parse(submission.as_mapping(run)).runs[0].group)
    train_next("cpu")
    alert = builders.build_alert(Run.objects.get(pk=run.pk), advice=ADVICE)
    kept = fixing.begin(alert, ["A1"], 1, None)
    train_next("cpu")
    (tmp_path / "own.csv").write_text("x,y\n" + "".join(f"{k},{k % 5}\n" for k in range(60)))
    again = fixing.begin(alert, ["A1"], 1, None)
    assert (kept.pairs.get().before, again.pairs.get().before != run) == (run, True)
    assert again.pairs.get().after != kept.pairs.get().after
    train_next("cpu")
    FixPair.objects.filter(fix=kept).update(before=again.pairs.get().before)
    (mixed,) = trials(pk=kept.pk)
    assert mixed.verdict.left_out == 1


def test_the_same_trial_is_not_made_twice() -> None:
    alert = sick_alert()
    fixing.begin(alert, ["A1"], 2, None)
    with pytest.raises(SubmissionError, match="ask for more seeds"):
        fixing.begin(alert, ["A1"], 2, None)
    assert Fix.objects.count() == 1


@pytest.mark.parametrize(
    ("codes", "seeds", "words"),
    [
        ((), 2, "tick one"),
        (("A7",), 2, "has no advice 'A7'; it has A1, A3"),
        (("A3", "A5"), 2, "'advice A3' sets learning_rate to 0.01 and 'advice A5' to 0.001"),
        (("A15",), 2, "cannot be judged on paired seeds: the configuration stays as it is but for the seed"),
        (("A24",), 2, "of other rows, and lower since it is honest; clone the run"),
        (("A16",), 2, "hidden_units"),
        (("A1",), 0, "expected 1 to 50 pairs, got 0"),
        (("A1",), 51, "expected 1 to 50 pairs, got 51"),
    ],
    ids=["nothing", "unknown", "conflict", "seed", "other rows", "invalid", "too few", "too many"],
)
def test_a_fix_that_cannot_be_is_refused_in_words(codes: tuple[str, ...], seeds: int, words: str) -> None:
    assert words in refusal(sick_alert(), *codes, seeds=seeds)


def test_advice_that_no_longer_fits_is_refused() -> None:
    alert = sick_alert()
    alert.advice = [advice("A3", op("learning_rate", 0.01, 0.5))]
    assert "the config has changed since" in refusal(alert, "A3")


def test_a_run_of_a_program_outside_is_refused() -> None:
    alert = sick_alert()
    alert.run.source = Source.OUTSIDE
    assert "program outside" in refusal(alert, "A1")


def test_a_sweep_of_too_many_runs_is_refused(settings: Any) -> None:
    settings.MAX_RUNS_PER_SWEEP = 5
    assert "expected at most 5 runs" in refusal(sick_alert(), "A1", seeds=4)


def test_the_trial_is_judged_as_its_runs_end() -> None:
    alert = sick_alert()
    fix = fixing.begin(alert, ["A1"], 3, None)
    assert trials(run=alert.run)[0].verdict.outcome is Outcome.WAITING
    assert hit_rates(trials()) == {}
    finish(Run.objects.filter(pairs_before__fix=fix), score=0.1)
    finish(Run.objects.filter(pairs_after__fix=fix), score=0.9)
    trial = trials(alert.run.project_id)[0]
    assert (trial.verdict.outcome, trial.metric) == (Outcome.HELPED, "val_accuracy")
    rate = hit_rates(trials(alert.run.project_id))["vanishing", ("A1",)]
    assert (rate.helped, rate.tried) == (1, 1)


def test_an_alert_that_stays_open_in_the_fixed_runs_is_no_help_unless_it_is_a_trifle() -> None:
    outcomes = []
    for severity in ("warning", "info"):
        alert = sick_alert()
        fix = fixing.begin(alert, ["A1"], 3, None)
        finish(Run.objects.filter(pairs_before__fix=fix), score=0.1)
        finish(Run.objects.filter(pairs_after__fix=fix), score=0.9)
        for pair in fix.pairs.all():
            builders.build_alert(pair.after, severity=severity)
        outcomes.append(trials(run=alert.run)[0].verdict.outcome)
    assert outcomes == [Outcome.NO_HELP, Outcome.HELPED]


def test_a_trial_with_more_seeds_replaces_the_earlier_in_the_hit_rate() -> None:
    alert = sick_alert()
    for seeds in (3, 4):
        fix = fixing.begin(alert, ["A1"], seeds, None)
        finish(Run.objects.filter(pairs_before__fix=fix), score=0.1)
        finish(Run.objects.filter(pairs_after__fix=fix), score=0.9)
    assert hit_rates(trials())["vanishing", ("A1",)].tried == 1
    assert Fix.objects.count() == 2


def test_what_was_not_decided_counts_as_tried_until_more_seeds_decide_it() -> None:
    alert = sick_alert()
    for seeds, undecided in ((2, 1), (3, 0)):
        fix = fixing.begin(alert, ["A1"], seeds, None)
        assert not any(trial.is_over for trial in trials(pk=fix.pk))
        finish(Run.objects.filter(pairs_before__fix=fix), score=0.1)
        after = Run.objects.filter(pairs_after__fix=fix)
        finish(after, score=0.9)
        if undecided:
            finish(after.filter(seed=1), score=0.2)
        rate = hit_rates(trials())["vanishing", ("A1",)]
        assert (rate.helped, rate.undecided, rate.tried) == (1 - undecided, undecided, 1)


def test_a_rate_of_several_changes_says_that_its_title_is_one_of_them() -> None:
    for title in ("Lower the learning rate to 0.1", "Lower the learning rate to 0.2"):
        fix = fixing.begin(sick_alert(), ["A1"], 2, None)
        Fix.objects.filter(pk=fix.pk).update(title=title)
        finish(Run.objects.filter(pairs_before__fix=fix), score=0.1)
        finish(Run.objects.filter(pairs_after__fix=fix), score=0.9)
    (rate,) = hit_rates(trials()).values()
    assert (rate.title, rate.helped) == ("Lower the learning rate to 0.2, or alike", 2)


def test_the_hit_rate_is_that_of_the_project() -> None:
    alert, elsewhere = sick_alert(), sick_alert()
    fix = fixing.begin(alert, ["A1"], 2, None)
    finish(Run.objects.filter(pairs_before__fix=fix), score=0.9)
    finish(Run.objects.filter(pairs_after__fix=fix), score=0.1)
    rate = hit_rates(trials(alert.run.project_id))["vanishing", ("A1",)]
    assert (rate.helped, rate.worse, rate.no_help) == (0, 1, 0)
    assert hit_rates(trials(elsewhere.run.project_id)) == {}


def test_a_seed_of_an_earlier_sweep_is_reused_where_its_configuration_is_the_same() -> None:
    alert = sick_alert()
    spec = submission.parse({**submission.as_mapping(alert.run), "seeds": [0]})
    other = submission.submit(spec, None).runs.get()
    assert other.group == group_of(spec.data, spec.runs[0].training)
    fix = fixing.begin(alert, ["A1"], 2, None)
    assert fix.pairs.get(seed=0).before == other


def test_what_a_sick_run_shows_when_it_is_trained_again_on_purpose_is_muted() -> None:
    alert = sick_alert()
    pair = fixing.begin(alert, ["A1"], 2, None).pairs.get(seed=0)
    for run_id in (pair.before_id, pair.after_id, alert.run_id):
        _store_event(run_id, event(check="plateau"))
    on_purpose = f"trained as run {alert.run_id} was, to compare a fix with it"
    muted = dict(Alert.objects.filter(check_id="plateau").values_list("run", "mute_reason"))
    assert muted == {pair.before_id: on_purpose, pair.after_id: "", alert.run_id: ""}
    # An order may end or be lifted; the run stays sick on purpose.
    Mute.objects.create(project=alert.run.project, check_id="saturated", reason="this week")
    for run_id in (pair.before_id, pair.after_id):
        _store_event(run_id, event(check="saturated"))
    muted = dict(Alert.objects.filter(check_id="saturated").values_list("run", "mute_reason"))
    assert muted == {pair.before_id: on_purpose, pair.after_id: "this week"}
