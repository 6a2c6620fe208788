"""What the scores of the validation rows are worth."""

from __future__ import annotations

import pytest

from tests.health.builders import build_evaluation, build_info, build_signals


@pytest.mark.parametrize(
    ("headline", "baseline", "metric", "noise"),
    [("val_accuracy", 0.5, 0.8, 0.0649), ("val_accuracy", 0.5, 1.0, 0.0241), ("val_rmse", 2.0, 1.0, 0.0559)],
)
def test_scores_of_few_rows_are_uncertain_even_a_perfect_one(
    headline: str, baseline: float, metric: float, noise: float
) -> None:
    info = build_info(headline=headline, baseline_metric=baseline, validation_rows=40)
    signals = build_signals(info)
    signals.add_evaluation(build_evaluation(50, metrics={"val_loss": 1.0, headline: metric}))
    assert signals.epochs.score.noise == pytest.approx(noise, rel=0.01)
