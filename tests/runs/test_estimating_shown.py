"""What a submission will cost, where people ask: page, API and command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from runs.models import Run, Sweep
from tests.runs.builders import build_run, build_user
from tests.runs.submissions import build_submission
from tests.runs.test_alert_api import Script
from tests.runs.test_pages_sweeps import GOOD
from tests.runs.test_workers import build_worker

pytestmark = pytest.mark.django_db


def preview(client: Client, **changes: str) -> str:
    client.force_login(build_user("submit_sweep"))
    answer = client.post(reverse("sweep-new"), {**GOOD, "preview": "1", **changes})
    return " ".join(answer.content.decode().split())


def test_the_page_tells_the_cost_and_submits_nothing(client: Client) -> None:
    build_worker(concurrency=2, cores=2)
    text = preview(client)
    assert "of work</strong> for one process" in text
    assert "from a probe of" in text
    assert "With the 2 processes that take such runs now" in text
    assert "it starts at once" in text
    assert "The largest run takes about" in text
    assert not Sweep.objects.exists()


def test_the_page_says_what_waits_before_and_when_nobody_could_take_it(client: Client) -> None:
    build_run(expected_seconds=90.0, shape_key="")
    assert "No worker that could take it is running." in preview(client)
    build_worker(concurrency=1)
    assert "1 run waits before, so it starts in about 1:30" in preview(client)


def test_the_page_says_when_it_cannot_tell(client: Client) -> None:
    text = preview(client, queue="gpu")
    assert "Nothing like it was trained on a GPU here yet, so its time cannot be told." in text
    assert "of work</strong>" not in text


def test_the_api_tells_the_same() -> None:
    answer = Script("submit_sweep").post("/sweeps/check", build_submission(seeds=3))
    cost = answer["cost"]
    assert answer["runs"] == 3
    assert 0 < cost["work"]["low"] < cost["work"]["seconds"] < cost["work"]["high"]
    assert (cost["wall"], cost["ahead"], cost["processes"], cost["steps"]) == (None, None, 0, 15)
    assert cost["source"].startswith("from a probe of")
    assert not Run.objects.exists()


def test_the_command_line_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_worker(concurrency=1)
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(build_submission()))
    call_command("submit", str(file), "--check")
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *("work", "time", "memory", "stored"),
        "1 run(s), nothing submitted",
    ]
    assert "of one process, from a probe of" in lines[0]
    assert lines[1].endswith("with 1 process; starts at once")
