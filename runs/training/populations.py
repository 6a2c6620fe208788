"""Populations of which every member can be kept, those that have ended among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlab.engine.device.population import DevicePopulation
from nnlab.engine.population import Population
from nnlab.engine.tiers import shared_examples, tier_for
from nnlab.engine.training import Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.config import TrainingConfig
    from nnlab.engine.populations import AnyPopulation
    from nnlab.engine.problem import Problem


# Of a chunk of members that may be stopped for what they show: in 50 ms a small network is through already.
JUDGED_SECONDS = 0.002


class KeptPopulation(Population):
    """A population that forgets its members when they are dropped, and not when they end.

    Args:
        is_judged: members may be stopped for what they show: they are heard in shorter turns.
    """

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        problem: Problem,
        resume: Sequence[bytes | None] | None = None,
        *,
        is_judged: bool = False,
    ) -> None:
        super().__init__(configs, problem, resume)
        if is_judged:
            examples = shared_examples(configs, problem)
            kept = resume or [None] * len(configs)
            self._members = {
                index: Training(config, problem, checkpoint, chunk_seconds=JUDGED_SECONDS, examples=examples)
                for index, (config, checkpoint) in enumerate(zip(configs, kept, strict=True))
            }
            self._rounds = self._take_rounds(JUDGED_SECONDS)
        self._kept = dict(self._members)

    def checkpoint(self, index: int) -> bytes:
        """Keep a member as it stands; call it right after its records, for others may be further already."""
        return self._kept[index].checkpoint()

    def drop(self, index: int) -> None:
        """Stop a member, or forget one that has ended; the others go on."""
        super().drop(index)
        self._kept.pop(index, None)


def make_population(
    configs: Sequence[TrainingConfig],
    problem: Problem,
    resume: Sequence[bytes | None],
    *,
    is_judged: bool = False,
) -> AnyPopulation:
    """Build the population of configs of one shape, on the tier that trains the first.

    Args:
        resume: a checkpoint for each member, or None for one that starts anew.
        is_judged: whether members may be stopped for what they show, and so have to be heard often.

    Raises:
        EngineError: as the populations, and as ``tier_for``.
    """
    if tier_for(configs[0]) == "cupy":
        return DevicePopulation(configs, problem, resume)
    return KeptPopulation(configs, problem, resume, is_judged=is_judged)
