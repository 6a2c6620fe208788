"""Activations applied one after another: values, gradients, and what other parts make of them."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.engine.composition import activation_of
from nnlab.engine.config import TrainingConfig
from nnlab.engine.errors import EngineError
from nnlab.engine.network import Pass
from nnlab.engine.tiers import make_trainer, tier_for
from tests.engine.builders import build_problem, build_trainer, run
from tests.engine.test_gradients import ROWS, build_checked_trainer, numerical_gradient

CHAINS = ("tanh>tanh", "sigmoid>relu>softplus", "tanh>exponential", "linear>elu", "leaky_relu>relu6")


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_gradient_of_a_chain_matches_differences(chain: str, dropout: float, batch_norm: bool) -> None:
    trainer = build_checked_trainer(chain, "softmax", dropout=dropout, batch_norm=batch_norm)
    passed = Pass(trainer.network, ROWS, training=True)
    passed.draw_masks(1)

    def objective() -> float:
        return trainer.head.loss_and_gradient(passed.forward(trainer._x.T), trainer._targets, passed.d)

    objective()
    passed.backward()
    found = trainer.network.gradients.copy()
    expected = numerical_gradient(objective, trainer.network.parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_a_chain_computes_the_last_of_the_first() -> None:
    trainer = build_trainer(build_problem(rows=8), hidden_units=(4,), activation="tanh>tanh", batch_size=8)
    passed = Pass(trainer.network, 8, training=False)
    passed.forward(trainer._x.T)
    trace = passed.traces[0]
    np.testing.assert_array_equal(trace.a, np.tanh(np.tanh(trace.z)))


def test_a_chain_of_one_is_the_activation_itself() -> None:
    assert activation_of("tanh") is activation_of("tanh")
    assert type(activation_of("tanh")).__name__ == "Tanh"


def test_a_linear_link_changes_nothing() -> None:
    problem = build_problem("multiclass")
    plain, linked = (
        run(problem, hidden_units=(5, 4), activation=name, dtype="float64", epochs=3)
        for name in ("tanh", "linear>tanh")
    )
    np.testing.assert_array_equal(plain.losses, linked.losses)


def test_a_chain_can_die_where_all_its_links_can() -> None:
    assert activation_of("relu>relu6").can_die
    assert not activation_of("relu>tanh").can_die


def test_a_chain_is_saturated_where_any_link_is() -> None:
    z = np.array([[-3.0, 0.0, 1.0, 3.0]])
    found = activation_of("exponential>tanh").saturated(z)
    assert found is not None
    assert found.tolist() == [[False, False, True, True]]
    assert activation_of("exponential>exponential").saturated(z) is None


def test_chains_train_on_the_numpy_tier_and_start_as_their_first_link() -> None:
    config = TrainingConfig(hidden_units=(4,), activation="relu>tanh", epochs=2)
    assert tier_for(config) == "numpy"
    with pytest.raises(EngineError, match="the activation relu>tanh"):
        tier_for(config, "native")
    chained, plain = (
        make_trainer(TrainingConfig(hidden_units=(4,), activation=name), build_problem(), "numpy")
        for name in ("relu>tanh", "relu")
    )
    np.testing.assert_array_equal(chained.network.parameters, plain.network.parameters)
