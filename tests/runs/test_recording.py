"""The recorder: what the engine yields is what is stored, bit for bit, however it was cut and flushed."""

from __future__ import annotations

import json
import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnlab.engine.config import TrainingConfig
from nnlab.engine.problem import Problem
from nnlab.engine.records import Evaluation, Records, RunInfo
from nnlab.engine.training import describe, train
from nnlab.health.events import AlertEvent, EventKind, Severity
from nnlab.health.patches import Advice, Op
from nnlab.series.pyramid import Layout
from runs.models import Alert, Chunk, Journal, Run, Series
from runs.reading.series import read_series
from runs.store import tails, writing
from runs.training.recording import Recorder, RunTakenError
from tests.runs.builders import build_running_run

pytestmark = pytest.mark.django_db

TOKEN = uuid.UUID(int=7)
OTHER = uuid.UUID(int=8)
Key = tuple[str, int | None]
Stored = dict[Key, tuple[list[int], list[float]]]

PER_LAYER = (
    "gradient_rms",
    "delta_rms",
    "weight_norm",
    "update_ratio",
    "spread",
    "zero_share",
    "saturated_share",
)


def build_problem() -> Problem:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((96, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64)
    return Problem("binary", x[:64], y[:64], x[64:], y[64:], 1)


def run_engine(**changes: Any) -> tuple[RunInfo, list[Records]]:
    settings = {"hidden_units": (6, 5), "batch_size": 8, "epochs": 6, "learning_rate": 0.05, **changes}
    config, problem = TrainingConfig(**settings), build_problem()
    return describe(config, problem), list(train(config, problem))


def by_hand(all_records: Iterable[Records]) -> Stored:
    """Lay out what the engine yielded, point by point, in the plainest way."""
    points: dict[Key, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for metric, layer, step, value in laid_out(all_records):
        points[metric, layer][0].append(step)
        points[metric, layer][1].append(float(value))
    return dict(points)


def laid_out(all_records: Iterable[Records]) -> Iterator[tuple[str, int | None, int, float]]:
    for records in all_records:
        steps = range(records.first_step, records.last_step + 1)
        yield from (
            ("train_loss", None, step, loss) for step, loss in zip(steps, records.losses, strict=True)
        )
        norms = zip(steps, records.gradient_norms, strict=True)
        yield from (("gradient_norm", None, step, norm) for step, norm in norms if not math.isnan(norm))
        for sample, metric in product(records.samples, PER_LAYER):
            yield from ((metric, at, sample.step, value) for at, value in enumerate(getattr(sample, metric)))
        for one in records.evaluations:
            yield from ((metric, None, one.step, value) for metric, value in one.metrics.items())
            if not one.is_brief:
                yield from (("dead_share", at, one.step, share) for at, share in enumerate(one.dead_share))


def stored(run: Run) -> Stored:
    metrics = list(Series.objects.filter(run=run).values_list("metric", flat=True).distinct())
    return {
        (points.metric, points.layer): (points.steps.tolist(), points.values.tolist())
        for points in read_series([run.pk], metrics)
    }


def assert_same(found: Stored, expected: Stored) -> None:
    assert found.keys() == expected.keys()
    for key, (steps, values) in expected.items():
        assert found[key][0] == steps, key
        assert np.array(found[key][1]).tobytes() == np.array(values).tobytes(), key  # NaN and -0.0 as well


def record(run: Run, info: RunInfo, all_records: list[Records], *, every: int = 1) -> Recorder:
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    for place, records in enumerate(all_records):
        recorder.record(records, [])
        if place % every == 0:
            recorder.flush()
    recorder.flush()
    return recorder


def rechunked(all_records: list[Records], size: int) -> list[Records]:
    """Cut records into single steps, as a slow network yields them, or join none."""
    cut: list[Records] = []
    for records in all_records:
        if not len(records.losses):
            cut.append(records)
            continue
        for start in range(0, len(records.losses), size):
            first, stop = (
                records.first_step + start,
                records.first_step + min(start + size, len(records.losses)),
            )
            cut.append(
                Records(
                    first,
                    records.losses[start : start + size],
                    records.gradient_norms[start : start + size],
                    tuple(sample for sample in records.samples if first <= sample.step < stop),
                    tuple(one for one in records.evaluations if first <= one.step < stop),
                )
            )
    return cut


def build_records(losses: Iterable[float], first_step: int = 1, **changes: Any) -> Records:
    values: NDArray[np.float64] = np.array(list(losses), dtype=np.float64)
    return Records(first_step, values, np.full(len(values), np.nan), **changes)


@pytest.fixture
def run() -> Run:
    return build_running_run(token=TOKEN, info={}, headline="")


@pytest.mark.parametrize("every", [1, 3, 10_000])
@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("chunk", [1, 4, 12, 4096])
def test_what_the_engine_yielded_is_stored_bit_for_bit(
    run: Run, monkeypatch: pytest.MonkeyPatch, chunk: int, size: int, every: int
) -> None:
    monkeypatch.setattr(tails, "LAYOUT", Layout(chunk=chunk, bucket=2, fanout=2, row=4))
    monkeypatch.setattr(writing, "FOLD_POINTS", 20)
    monkeypatch.setattr(writing, "CHUNK_POINTS", 1)
    info, all_records = run_engine()
    recorder = record(run, info, rechunked(all_records, size), every=every)
    assert_same(stored(run), by_hand(all_records))
    recorder.flush(final=True)
    assert_same(stored(run), by_hand(all_records))
    assert not Chunk.objects.filter(points__gt=chunk).exists()
    assert not Journal.objects.exists()
    assert Series.objects.get(run=run, metric="train_loss").points == info.steps == 48


def test_a_series_knows_how_it_stands(run: Run) -> None:
    info, all_records = run_engine()
    record(run, info, all_records).flush(final=True)
    for (metric, layer), (steps, values) in by_hand(all_records).items():
        series = Series.objects.get(run=run, metric=metric, layer=layer)
        finite = [value for value in values if math.isfinite(value)]
        assert (series.points, series.first_step, series.last_step) == (len(steps), steps[0], steps[-1])
        assert series.nonfinite == len(values) - len(finite)
        assert series.minimum == (min(finite) if finite else None)
        assert series.maximum == (max(finite) if finite else None)
        assert series.last == (values[-1] if math.isfinite(values[-1]) else None)


def test_the_learning_rate_is_stored_where_it_is_scheduled(run: Run) -> None:
    info, all_records = run_engine(schedule="cosine", warmup_steps=5)
    record(run, info, all_records)
    steps, rates = stored(run)["learning_rate", None]
    assert steps == list(range(1, info.steps + 1))
    assert rates == np.concatenate([records.learning_rates for records in all_records]).tolist()
    assert max(rates) == 0.05


def test_the_run_shows_its_progress_and_its_last_values(run: Run) -> None:
    info, all_records = run_engine()
    record(run, info, all_records)
    run.refresh_from_db()
    last = all_records[-1].evaluations[-1].metrics
    assert run.steps_run == info.steps
    assert run.headline == "val_accuracy"
    assert run.score == last["val_accuracy"]
    assert run.summary == {
        "train_loss": all_records[-1].losses[-1],
        "gradient_norm": by_hand(all_records)["gradient_norm", None][1][-1],
        **last,
    }
    assert run.info["layer_names"] == ["hidden 1", "hidden 2", "output"]
    assert run.info["widths"] == [6, 5, 1]
    assert (run.info["steps_per_epoch"], run.info["train_rows"], run.info["validation_rows"]) == (8, 64, 32)


def test_values_that_are_not_finite_are_stored_and_the_summary_stays_json(run: Run) -> None:
    info, _ = run_engine()
    losses = [1.0, math.inf, -math.inf, math.nan, -0.0, math.nan]
    bad = Evaluation(6, 1, {"val_loss": math.inf, "val_accuracy": -math.inf}, np.empty(0), np.empty(0), 32)
    records = build_records(losses, evaluations=(bad,))
    record(run, info, [records]).flush(final=True)
    assert_same(stored(run), by_hand([records]))
    run.refresh_from_db()
    assert run.summary == {"train_loss": "NaN", "val_loss": "Infinity", "val_accuracy": "-Infinity"}
    assert run.score is None
    json.dumps([run.summary, run.info], allow_nan=False)
    series = Series.objects.get(run=run, metric="train_loss")
    assert (series.nonfinite, series.last, series.minimum, series.maximum) == (4, None, -0.0, 1.0)


def test_what_is_known_before_step_1_is_json_too(run: Run) -> None:
    info, _ = run_engine()
    recorder = Recorder(run.pk, TOKEN, replace(info, baseline_loss=math.nan, baseline_metric=math.inf))
    recorder.start("USD")
    run.refresh_from_db()
    assert (run.info["baseline_loss"], run.info["baseline_metric"]) == ("NaN", "Infinity")
    assert run.info["target_unit"] == "USD"


def test_a_flush_without_news_writes_no_points(run: Run) -> None:
    info, all_records = run_engine()
    recorder = record(run, info, all_records)
    before = list(Journal.objects.values_list("number", "batch"))
    recorder.flush()
    assert list(Journal.objects.values_list("number", "batch")) == before


def test_a_stale_token_writes_nothing(run: Run) -> None:
    info, all_records = run_engine()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    Run.objects.update(token=OTHER)
    before = Run.objects.values().get()
    recorder.record(all_records[0], [build_event()])
    recorder.record(all_records[1], [])
    with pytest.raises(RunTakenError, match=f"run {run.pk} is no longer ours"):
        recorder.flush()
    assert Run.objects.values().get() == before
    assert [model.objects.count() for model in (Chunk, Journal, Series, Alert)] == [0, 0, 0, 0]


def test_a_stale_token_does_not_remove_what_another_attempt_wrote(run: Run) -> None:
    info, all_records = run_engine()
    record(run, info, all_records)
    before = stored(run)
    with pytest.raises(RunTakenError):
        Recorder(run.pk, OTHER, info).start("")
    assert_same(stored(run), before)


def test_a_second_attempt_leaves_no_point_doubled_and_none_of_the_first(
    run: Run,
) -> None:
    info, all_records = run_engine(seed=1)
    recorder = record(run, info, all_records)
    recorder.record_events([build_event()])
    recorder.flush()
    assert Alert.objects.exists()

    info, all_records = run_engine(seed=2)
    fewer = rechunked(all_records, 7)[:4]  # the second attempt is not yet as far as the first was
    record(run, info, fewer)
    assert_same(stored(run), by_hand(fewer))
    assert not Alert.objects.exists()


def test_another_runs_points_are_left_alone(run: Run) -> None:
    info, all_records = run_engine()
    other = build_running_run(token=TOKEN)
    record(other, info, all_records)
    record(run, info, all_records[:1])
    assert_same(stored(other), by_hand(all_records))


def test_an_attempt_that_goes_on_from_a_checkpoint_keeps_the_points_up_to_it(run: Run) -> None:
    info, all_records = run_engine()
    record(run, info, all_records).flush(final=True)
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("", after=16)
    again = [one for one in rechunked(all_records, 1) if one.first_step > 16]
    for records in again:
        recorder.record(records, [])
    recorder.flush(final=True)
    assert_same(stored(run), by_hand(all_records))


def build_event(kind: EventKind = EventKind.OPEN, step: int = 40, **changes: Any) -> AlertEvent:
    event = AlertEvent(
        kind=kind,
        check="vanishing",
        severity=Severity.WARNING,
        step=step,
        first_step=3,
        layers=(0, 1),
        layer_names=("hidden 1", "hidden 2"),
        value=2e-9,
        threshold=1e-6,
        title="Vanishing gradient: hidden 1, hidden 2",
        cause="The sigmoid's derivative is at most 1/4.",
        evidence={"ratio": 2e-9, "worst": "NaN"},
        advice=(
            Advice("A1", "Use ReLU", "Its derivative is 1.", (Op("set", "activation", "relu", "sigmoid"),)),
        ),
        thresholds_hash="0123456789ab",
    )
    return replace(event, **changes)


def test_an_alert_is_stored_once_per_check_through_opening_update_and_resolving(run: Run) -> None:
    info, _ = run_engine()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")

    recorder.record_events([build_event()])
    recorder.flush()
    alert = Alert.objects.get()
    assert (alert.state, alert.opened_step, alert.last_step, alert.resolved_step) == ("open", 40, 40, None)
    assert (alert.count, alert.layers, alert.layer_names) == (1, [0, 1], ["hidden 1", "hidden 2"])
    assert alert.advice[0]["ops"] == [{"op": "set", "path": "activation", "value": "relu", "old": "sigmoid"}]

    recorder.record_events([build_event(EventKind.UPDATE, 60, severity=Severity.CRITICAL, value=1e-12)])
    recorder.flush()
    alert = Alert.objects.get()
    assert (alert.severity, alert.value, alert.opened_step, alert.last_step) == ("critical", 1e-12, 40, 60)

    recorder.record_events([build_event(EventKind.RESOLVE, 90)])
    recorder.flush()
    alert = Alert.objects.get()
    assert (alert.state, alert.resolved_step, alert.count) == ("resolved", 90, 3)

    recorder.record_events([build_event(EventKind.UPDATE, 120)])
    recorder.flush()
    alert = Alert.objects.get()
    assert (alert.state, alert.resolved_step, alert.opened_step, alert.count) == ("open", None, 40, 4)


def test_two_events_of_one_flush_and_two_checks_are_kept_apart(run: Run) -> None:
    info, _ = run_engine()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    recorder.record_events(
        [build_event(), build_event(check="dead_layer"), build_event(EventKind.RESOLVE, 50)]
    )
    recorder.flush()
    assert dict(Alert.objects.values_list("check_id", "state")) == {
        "vanishing": "resolved",
        "dead_layer": "open",
    }


def test_an_alerts_value_may_be_no_number(run: Run) -> None:
    info, _ = run_engine()
    recorder = Recorder(run.pk, TOKEN, info)
    recorder.start("")
    recorder.record_events([build_event(value=math.nan, threshold=math.inf)])
    recorder.flush()
    assert Alert.objects.values_list("value", "threshold").get() == (None, None)
