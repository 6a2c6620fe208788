"""The array libraries that the device code is tested on: NumPy, a fake that refuses host copies, and CuPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nnlab.engine.config import TrainingConfig
from nnlab.engine.device.backend import Backend
from nnlab.engine.device.cupy_backend import CupyBackend, available, why_missing
from nnlab.engine.device.population import DevicePopulation
from nnlab.engine.training import joined
from tests.engine.fake_device import FakeBackend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nnlab.engine.problem import Problem
    from nnlab.engine.records import Evaluation, Records

BACKENDS = (
    "numpy",
    "fake",
    pytest.param("cupy", marks=pytest.mark.skipif(not available(), reason=why_missing())),
)
on_every_backend = pytest.mark.parametrize("name", BACKENDS)


def build_backend(name: str) -> Backend:
    """Build a backend by name."""
    if name == "cupy":
        return CupyBackend()
    return FakeBackend() if name == "fake" else Backend(np)


def build_population(
    configs: Sequence[TrainingConfig],
    problem: Problem,
    name: str = "numpy",
    resume: Sequence[bytes | None] | None = None,
) -> DevicePopulation:
    """Build a population on a backend."""
    return DevicePopulation(configs, problem, resume, backend=build_backend(name))


def collect(told: Iterable[tuple[int, Records]]) -> dict[int, Records]:
    """Join each member's records into one."""
    parts: dict[int, list[Records]] = {}
    for index, records in told:
        parts.setdefault(index, []).append(records)
    return {index: joined(found) for index, found in parts.items()}


def assert_close(found: Records, expected: Records, tolerance: float = 1e-5) -> None:
    """Check that records tell the same, numbers to rounding."""
    for name in ("losses", "gradient_norms"):
        ours_told, theirs_told = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(ours_told, theirs_told, rtol=tolerance, atol=0.1 * tolerance, err_msg=name)
    np.testing.assert_array_equal(found.learning_rates, expected.learning_rates)
    assert found.ended is expected.ended
    for ours, theirs in zip(found.evaluations, expected.evaluations, strict=True):
        assert (ours.step, ours.epoch, ours.rows, ours.restored_step) == (
            *(theirs.step, theirs.epoch, theirs.rows),
            theirs.restored_step,
        )
        assert list(ours.metrics) == list(theirs.metrics)
        np.testing.assert_allclose(
            list(ours.metrics.values()), list(theirs.metrics.values()), rtol=tolerance, atol=tolerance
        )
        np.testing.assert_array_equal(ours.dead_share, theirs.dead_share)
        np.testing.assert_allclose(ours.zero_share, theirs.zero_share, atol=1e-12)
        assert_close_activity(ours, theirs, tolerance)
    for seen, known in zip(found.samples, expected.samples, strict=True):
        assert (seen.step, seen.rows) == (known.step, known.rows)
        for field in ("gradient_rms", "delta_rms", "weight_norm", "update_ratio", "spread"):
            np.testing.assert_allclose(
                getattr(seen, field), getattr(known, field), rtol=20 * tolerance, atol=1e-7, err_msg=field
            )
        np.testing.assert_array_equal(seen.zero_share, known.zero_share)
        np.testing.assert_array_equal(seen.saturated_share, known.saturated_share)
        for ours_active, theirs_active in zip(seen.active_counts, known.active_counts, strict=True):
            np.testing.assert_array_equal(ours_active, theirs_active)


def assert_close_activity(ours: Evaluation, theirs: Evaluation, tolerance: float) -> None:
    """Check what is told of hidden units and answers beside the metrics."""
    bounds = {"answer_variance": tolerance, "effective_rank": 100 * tolerance}
    for name in ("dormant_share", "mixed_share", "predicted", "recall", *bounds):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert (found is None) == (expected is None), name
        if expected is not None:
            bound = bounds.get(name, 1e-12)
            np.testing.assert_allclose(found, expected, rtol=bound, atol=bound, err_msg=name)


def assert_same(found: Records, expected: Records) -> None:
    """Check that records are the same to the last bit, whatever the chunks they came in."""
    for name in ("losses", "gradient_norms", "learning_rates"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert (found.ended, found.nonfinite) == (expected.ended, expected.nonfinite)
    assert repr(found.evaluations) == repr(expected.evaluations)
    assert repr(found.samples) == repr(expected.samples)
