"""What configuration and data show by themselves is stored as an alert of step 0."""

from __future__ import annotations

from typing import Any

import pytest

from nnlab.health import facts
from runs import queue, submission
from runs.models import Alert, Run
from runs.tasks import train_next
from runs.training import attempt
from tests.runs.submissions import build_submission

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "live_workers", lambda _: 1)


def trained(**changes: Any) -> list[Run]:
    runs = list(submission.submit(submission.parse(build_submission(**changes)), None).runs.order_by("pk"))
    train_next("cpu")
    return runs


def test_every_run_of_a_sweep_is_told_of_raw_data_which_are_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[Any] = []

    def looking(problem: Any) -> facts.DataFacts:
        looked.append(problem)
        return facts.describe_data(problem)

    monkeypatch.setattr(attempt, "describe_data", looking)
    runs = trained(data={"dataset": "wine", "recipe": "raw"}, training={"steps": 5}, seeds=3)
    alerts = Alert.objects.filter(check_id="unscaled_data")
    assert sorted(alert.run_id for alert in alerts) == [run.pk for run in runs]
    assert {(alert.first_step, alert.severity) for alert in alerts} == {(0, "warning")}
    assert len(looked) == 1


def test_prepared_data_are_no_matter_for_an_alert() -> None:
    trained(data={"dataset": "wine"}, training={"steps": 5})
    assert not Alert.objects.filter(check_id__in=["unscaled_data", "leak", "class_balance"]).exists()
