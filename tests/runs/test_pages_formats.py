"""Numbers, durations and states as the pages write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runs.models import Run
from runs.pages import formats
from runs.reading.metrics import higher_is_better
from runs.templatetags import nnlab_format

THIN = formats.THIN_SPACE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        (0, "0"),
        (0.0, "0"),
        (0.14321, "0.1432"),
        (2.311, "2.311"),
        (-2.311, "-2.311"),
        (12345.678, "12346"),
        (100_000, "100000"),
        (123_456, "1.23e5"),
        (0.001, "0.001"),
        (0.000123, "1.23e-4"),
        (-0.000123, "-1.23e-4"),
        (5e-324, "4.94e-324"),
        (float("nan"), "⚠ NaN"),
        ("NaN", "⚠ NaN"),
        (float("inf"), "⚠ inf"),
        (float("-inf"), "⚠ -inf"),
        ("not a number", "not a number"),
    ],
)
def test_a_number_has_four_digits(value: Any, text: str) -> None:
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("value", "metric", "unit", "text"),
    [
        (0.9642, "val_accuracy", "", "96.4 %"),
        (1, "val_accuracy", "", "100.0 %"),
        ("NaN", "val_accuracy", "", "⚠ NaN"),
        (62_100.4, "val_rmse", "USD", "62.1k USD"),
        (62.1, "val_rmse", "USD", "62.10 USD"),
        (61_000, "val_rmse", "USD", "61.0k USD"),
        (102_000, "val_rmse", "USD", "102k USD"),
        (0.41, "val_loss", "USD", "0.4100"),
        (0.72, "val_r2", "USD", "0.7200"),
        (0.000123, "val_loss", "", "1.23e-4"),
        (12_345.678, "val_loss", "", "12346"),
        (None, "val_rmse", "USD", "–"),
        (float("nan"), "val_rmse", "USD", "⚠ NaN"),
    ],
)
def test_a_score_carries_its_unit(value: Any, metric: str, unit: str, text: str) -> None:
    assert formats.score(value, metric, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (714, "714"), (999, "999"), (1000, "1 k"), (19_370, "19.4 k"), (999_900, "1 M"),
     (1_234_000, "1.23 M"), (50_000_000, "50 M"), (2e9, "2 G")],
)  # fmt: skip
def test_a_count_is_short(value: Any, text: str) -> None:
    assert formats.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12, "12"), (1234, f"1{THIN}234"), (13_474_000, f"13{THIN}474{THIN}000")]
)
def test_steps_are_grouped_by_thin_spaces(value: Any, text: str) -> None:
    assert formats.grouped(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1, "1"),
        (100_000, "100000"),
        (1e6, "1e6"),
        (0.05, "0.05"),
        (0.01, "0.01"),
        (0.001, "1e-3"),
        (0.0003, "3e-4"),
        (0.00123, "1.23e-3"),
    ],
)
def test_a_small_learning_rate_has_an_exponent(value: Any, text: str) -> None:
    assert formats.learning_rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0 %"), (0.641, "64 %"), (0.9999, "99 %"), (1.0, "100 %")]
)
def test_a_hundred_percent_means_complete(value: Any, text: str) -> None:
    assert formats.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.4, "0.4 s"), (9.94, "9.9 s"), (9.96, "0:10"), (41, "0:41"), (3723, "1:02:03"),
     (timedelta(hours=51), "2 d 3 h"),
     (-3, "0.1 s"), (48 * 3600 - 1, "47:59:59")],
)  # fmt: skip
def test_a_duration_is_written_as_a_clock_shows_it_and_below_10_s_with_tenths(value: Any, text: str) -> None:
    assert formats.duration(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-10, "just now"),
        (4, "just now"),
        (5, "5 s ago"),
        (61, "1 min ago"),
        (7300, "2 h ago"),
        (200_000, "2 d ago"),
    ],
)
def test_a_moment_is_written_by_its_age(seconds: int, text: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert formats.ago(now - timedelta(seconds=seconds), now) == text


@pytest.mark.parametrize(
    ("widths", "text"),
    [([], "linear"), (None, "linear"), ([64], "64"), ([64, 64, 64], "64-64-64"), ([128, 64, 32], "128-64-32"),
     ([8] * 10, "10 × 8"), ([100, 50, 20, 10, 5], "100-50-20-10-5")],
)  # fmt: skip
def test_a_network_is_written_by_its_widths(widths: Any, text: str) -> None:
    assert formats.network(widths) == text


@pytest.mark.parametrize(
    ("metric", "is_higher"),
    [("val_accuracy", True), ("val_r2", True), ("val_rmse", False), ("val_loss", False)],
)
def test_a_metric_knows_its_better_direction(metric: str, is_higher: bool) -> None:
    assert higher_is_better(metric) is is_higher


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "finished", "stop_reason": "end"}, "✓</span> finished</span>"),
        ({"status": "finished", "stop_reason": "diverged"}, "✓</span> finished: diverged</span>"),
        ({"status": "failed", "stop_reason": "error"}, "✗</span> failed: error</span>"),
        ({"status": "cancelled", "stop_reason": "cancelled"}, "⊘</span> cancelled</span>"),
        ({"status": "running", "cancel_requested": True}, "◐</span> running: stopping</span>"),
        ({"status": "lost", "stop_reason": "worker lost"}, "?</span> lost: worker lost</span>"),
    ],
)
def test_a_status_is_icon_and_word_and_reason(fields: dict[str, Any], words: str) -> None:
    assert nnlab_format.status(Run(**fields)).endswith(words)


def test_a_unit_in_the_heading_is_not_repeated_in_the_cells() -> None:
    assert formats.score(62_100, "val_rmse", "USD", bare=True) == "62.1k"


@pytest.mark.parametrize(
    ("name", "text"),
    [("relu", "ReLU"), ("relu, tanh", "ReLU, tanh"), ("leaky_relu", "leaky ReLU"), ("none", "")],
)
def test_an_activation_is_written_as_people_do(name: str, text: str) -> None:
    assert formats.activation(name) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e6, "1e6"), (0.05, "0.05"), (1e-4, "1e-4"), (float("nan"), "⚠ NaN"), (True, "yes"), ([], "none"),
     ([32] * 20, "20 × 32"), ([64, 64], "64, 64"), (None, "–"), ({"a_b": 2}, "a b 2")],
)  # fmt: skip
def test_a_setting_is_written_as_short_as_it_can_be(value: Any, text: str) -> None:
    assert nnlab_format.setting(value) == text


def test_markup_in_a_severity_is_escaped() -> None:
    assert "<b>" not in nnlab_format.severity("<b>")


def test_what_is_missing_is_a_dash() -> None:
    assert nnlab_format.ago(None) == "–"
    assert nnlab_format.run_duration(Run(started_at=None)) == "–"
