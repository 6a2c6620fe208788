"""What trains a run: stored with it, and shown where a person looks."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import pytest
from django.test import Client

from nnlab.engine.config import TrainingConfig
from nnlab.engine.native import library
from nnlab.engine.problem import Problem
from nnlab.engine.records import Records
from nnlab.engine.training import describe
from runs.models import Run
from runs.training.recording import Recorder
from tests.engine.native import needs_native
from tests.runs.builders import build_finished_run, build_run, build_running_run, build_user

pytestmark = pytest.mark.django_db


X, Y = np.zeros((20, 2), np.float32), np.arange(20) % 2
INFO = describe(TrainingConfig(batch_size=4), Problem("binary", X, Y, X, Y, 1))


def started(tier: str) -> Run:
    """A run as it stands before step 1, on a tier."""
    run = build_running_run(token=uuid.uuid4())
    assert run.token is not None
    Recorder(run.pk, run.token, replace(INFO, tier=tier)).start("")
    return Run.objects.get(pk=run.pk)


def test_the_tier_is_stored_before_step_1() -> None:
    run = started("numpy")
    assert (run.tier, run.isa) == ("numpy", "")


@needs_native
def test_the_native_tier_is_stored_with_its_instruction_set() -> None:
    run, found = started("native"), library.load()
    assert found is not None
    assert (run.tier, run.isa) == ("native", found.isa)


@pytest.mark.parametrize(
    ("tier", "isa", "worker", "words"),
    [
        ("native", "x86-64-v4", "host-1:42", "native engine, x86-64-v4, on host-1"),
        ("numpy", "", "", "NumPy"),
    ],
)
def test_the_page_says_what_trained_a_run(tier: str, isa: str, worker: str, words: str) -> None:
    run = build_finished_run(tier=tier, isa=isa, worker=worker)
    assert f"<dt>Trained by</dt><dd>{words}</dd>" in page(run)


@pytest.mark.parametrize(("share", "words"), [(0.0081, "0.8 %"), (0.0, "under 0.1 %"), (0.25, "25.0 %")])
def test_the_page_says_what_the_probes_cost(share: float, words: str) -> None:
    run = build_finished_run(tier="native", probe_share=share)
    assert f"its probes took {words} of the time" in page(run)


def test_the_cost_of_the_probes_is_stored() -> None:
    run = started("numpy")
    assert run.probe_share is None
    assert run.token is not None
    recorder = Recorder(run.pk, run.token, INFO)
    recorder.record(Records(1, np.ones(1), np.ones(1), probe_share=0.02), [])
    recorder.flush()
    assert Run.objects.get(pk=run.pk).probe_share == 0.02


def test_the_page_of_a_run_that_waits_names_no_engine() -> None:
    assert "Trained by" not in page(build_run())


def page(run: Run) -> str:
    client = Client()
    client.force_login(build_user())
    return client.get(run.get_absolute_url()).content.decode()
