"""Ours as a worker works: a claimed run of the engine, trained and recorded, or trained only."""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tests.benchmarks.series.contender import Unable
from tests.benchmarks.series.contenders.ours import Store

if TYPE_CHECKING:
    from uuid import UUID

    from runs.models import Run

DATA = {"dataset": "digits"}
TRAINING = {"hidden_units": [96, 96, 96, 96], "batch_size": 32}  # a step of about 100 us


class Trainer(Store):
    """A worker."""

    def prepare_loop(self, steps: int) -> dict[str, Any]:
        """Read the data, and note how long to train; tell of the training."""
        from nnlab.data.config import DataConfig  # noqa: PLC0415 - django.setup() comes first
        from nnlab.data.preparation import prepare  # noqa: PLC0415
        from nnlab.engine.config import TrainingConfig  # noqa: PLC0415
        from nnlab.engine.problem import Problem  # noqa: PLC0415
        from nnlab.engine.tiers import tier_for  # noqa: PLC0415

        found = prepare(DataConfig.from_dict(DATA))
        self._problem = Problem(**{field.name: getattr(found, field.name) for field in fields(Problem)})
        self._steps, self._training = steps, {**TRAINING, "steps": steps}
        self._config = TrainingConfig.from_dict(self._training)
        self._claims: dict[int, UUID] = {}
        if tier_for(self._config) != "native":
            raise Unable(f"expected the native tier, got {tier_for(self._config)}; build it first")
        self.loop(log=False)
        began = perf_counter()
        self.loop(log=False)
        return {"step_seconds": (perf_counter() - began) / steps, "training": self._training}

    def begin_run(self) -> None:
        """Submit the run that the next loop trains, and claim it; look at what the last one left."""
        from runs import lifecycle, submission  # noqa: PLC0415

        self._check_last()
        asked = {"project": "benchmark", "name": "benchmark", "data": DATA, "training": self._training}
        run: Run = submission.submit(submission.parse(asked), self._user).runs.get()
        token = lifecycle.claim(run.pk, "benchmark")
        if token is None:
            raise Unable(f"expected run {run.pk} to be queued, got one that is not")
        self._claims = {run.pk: token}

    def loop(self, log: bool) -> int:
        """Train, as a worker does, or with the records thrown away; give how many steps were done."""
        if log:
            from runs.training.attempt import train_claimed  # noqa: PLC0415

            train_claimed(self._claims)
        else:
            from nnlab.engine.populations import make_population  # noqa: PLC0415

            with closing(make_population([self._config], self._problem)) as population:
                for _ in population:
                    pass
        return self._steps

    def _check_last(self) -> None:
        """Make sure that a run that was trained is over, with a loss at every step."""
        from runs.models import Run  # noqa: PLC0415
        from runs.reading.series import read_series  # noqa: PLC0415

        for run in Run.objects.filter(pk__in=self._claims):
            kept = sum(len(points.values) for points in read_series([run.pk], {"train_loss"}))
            if run.status != "finished" or kept != self._steps:
                raise Unable(f"expected a finished run, got {run.status} with {kept} losses: {run.error}")
