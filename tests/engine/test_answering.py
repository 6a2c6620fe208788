"""Asking a network that was kept: it says what it said in training, and no other network can be asked."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.engine.answering import Answerer
from nnlab.engine.config import TrainingConfig
from nnlab.engine.sizes import parameter_count

CONFIG = TrainingConfig(hidden_units=(6, 5), activation="tanh", dropout=0.2, seed=3)


def asked(config: TrainingConfig, task: str, outputs: int) -> Answerer:
    return Answerer(config, task, outputs, np.random.default_rng(0).standard_normal((7, 2)))


def test_answers_are_those_of_the_formula() -> None:
    x = np.random.default_rng(1).standard_normal((4, 2)).astype(np.float32)
    size = parameter_count(CONFIG, 2, 1)
    parameters = np.random.default_rng(2).standard_normal(size).astype(np.float32)
    a, start = x, 0
    for inputs, units in ((2, 6), (6, 5), (5, 1)):
        affine = parameters[start : start + (inputs + 1) * units].reshape(inputs + 1, units)
        start += (inputs + 1) * units
        z = a @ affine[:-1] + affine[-1]
        a = np.tanh(z)
    expected = 1 / (1 + np.exp(-z[:, 0].astype(np.float64)))
    found = Answerer(CONFIG, "binary", 1, x)
    np.testing.assert_allclose(found.answers(parameters)[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(found.labels(found.answers(parameters)), expected > 0.5)


def test_probabilities_of_classes_add_up_to_one() -> None:
    answerer = asked(CONFIG, "multiclass", 3)
    answers = answerer.answers(np.ones(parameter_count(CONFIG, 2, 3)))
    assert answers.shape == (3, 7)
    np.testing.assert_allclose(answers.sum(axis=0), 1.0)


def test_a_network_that_diverged_answers_without_a_warning() -> None:
    answerer = asked(CONFIG, "regression", 1)
    assert not np.isfinite(answerer.answers(np.full(parameter_count(CONFIG, 2, 1), 3e38))).all()


def test_other_parameters_and_batch_normalisation_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \d+ parameters, got shape \(3,\)"):
        asked(CONFIG, "binary", 1).answers(np.zeros(3))
    with pytest.raises(ValueError, match="without batch normalisation"):
        asked(TrainingConfig(hidden_units=(4,), batch_norm=True), "binary", 1)
