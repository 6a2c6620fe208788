"""A cohort: members that are at the same step, trained in lock step; told apart again in their records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlab.engine.activity import Looks, effective_rank
from nnlab.engine.checkpoints import fill
from nnlab.engine.device.member import rates
from nnlab.engine.device.stack import Stack
from nnlab.engine.final_test import final_scores
from nnlab.engine.probes import work_of_a_step
from nnlab.engine.records import Ending, Evaluation, NonFinite, Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.engine.checkpoints import Arrays, Checkpoint
    from nnlab.engine.device.backend import Backend
    from nnlab.engine.device.evaluation import Scale
    from nnlab.engine.device.member import Member
    from nnlab.engine.device.stack import Chunk, Examples
    from nnlab.engine.records import FloatArray

CHUNK_SECONDS = 0.25

Told = list[tuple["Member", Records]]


@dataclass(frozen=True)
class Shared:
    """What all cohorts of a population share."""

    backend: Backend
    examples: Examples
    scale: Scale
    can_die: tuple[bool, ...]
    steps_per_epoch: int
    validate_every: int  # steps from one evaluation to the next


class Cohort:
    """Members and their stack, a row for each; one that has ended trains on unheard until it is left out."""

    def __init__(self, shared: Shared, members: Sequence[Member]) -> None:
        self.members = list(members)
        self._shared = shared
        self.stack = Stack(shared.backend, [member.config for member in members], shared.examples)
        self._pace = 1

    @property
    def is_over(self) -> bool:
        """Whether no member trains on."""
        return not any(member.is_live for member in self.members)

    def begin(self) -> Told:
        """Evaluate the untrained networks."""
        nothing = Records(1, np.empty(0), np.empty(0))
        told = {row: nothing for row, member in enumerate(self.members) if member.is_live}
        with np.errstate(all="ignore"):
            return self._told(self._judged(told, list(told), self.stack.evaluate(ranks=True)))

    def advance(self) -> Told:
        """Train all members for a chunk that ends with the epoch, an evaluation or a member at the latest."""
        started, step = perf_counter(), self.stack.step
        live = [row for row, member in enumerate(self.members) if member.is_live]
        left_in_epoch = self._shared.steps_per_epoch - step % self._shared.steps_per_epoch
        to_evaluation = self._shared.validate_every - step % self._shared.validate_every
        left_in_runs = min(self.members[row].steps for row in live) - step
        count = min(self._pace, left_in_epoch, to_evaluation, left_in_runs)
        given = rates(self.members, step + 1, count)
        is_due, last = count == to_evaluation, step + count
        due = [row for row in live if is_due or self.members[row].steps == last]
        with np.errstate(all="ignore"):  # overflow is found by its traces, and reported
            ranks = any(self._looks(row).takes_rank(last) for row in due)
            chunk = self.stack.run(count, given, evaluates=bool(due), ranks=ranks)
            told = self._records(chunk, live, given, step + 1)
            due = [row for row in due if self.members[row].is_live]
            told = self._judged(told, due, chunk.sums)
        fitting = int(CHUNK_SECONDS * count / max(perf_counter() - started, 1e-9))
        self._pace = max(1, min(2 * self._pace, fitting))
        return self._told(told)

    def _told(self, told: dict[int, Records]) -> Told:
        return [(self.members[row], records) for row, records in told.items()]

    def _records(
        self, chunk: Chunk, live: list[int], given: FloatArray, first_step: int
    ) -> dict[int, Records]:
        """Tell each live member's part of a chunk, up to where it diverged."""
        norms = np.full(chunk.losses.shape, np.nan)
        norms[:, [step - first_step for step in chunk.norm_steps]] = np.sqrt(
            np.square(chunk.norms).sum(axis=2)
        )
        origins: dict[int, Any] = {}
        told: dict[int, Records] = {}
        for row in live:
            member, losses = self.members[row], chunk.losses[row]
            bad = self._first_bad(row, chunk, first_step, origins)
            done = len(losses) if bad is None else bad.step - first_step + 1
            samples = tuple(burst[row] for burst in chunk.samples)
            told[row] = Records(
                first_step,
                losses[:done].copy(),
                norms[row, :done].copy(),
                samples if bad is None else tuple(seen for seen in samples if seen.step < bad.step),
                nonfinite=bad,
                ended=member.ended,
                learning_rates=given[:done, row].copy() if member.is_scheduled else np.empty(0),
            )
            if bad is None:
                member.last_finite_loss = float(losses[-1])
            elif bad.quantity != "gradient":
                told[row].gradient_norms[-1] = np.nan
        return told

    def _first_bad(
        self, row: int, chunk: Chunk, first_step: int, origins: dict[int, Any]
    ) -> NonFinite | None:
        """Find what was not finite first, and end the member there."""
        losses, member = chunk.losses[row], self.members[row]
        loss_at = _first(~np.isfinite(losses), len(losses))
        sampled = _first(~np.isfinite(chunk.norms[row]).all(axis=1), len(chunk.norm_steps))
        norm_at = chunk.norm_steps[sampled] - first_step if sampled < len(chunk.norm_steps) else len(losses)
        at = min(loss_at, norm_at)
        if at == len(losses):
            return None
        member.ended = Ending.DIVERGED
        step = first_step + at
        if norm_at < loss_at:
            layer = _first(~np.isfinite(chunk.norms[row, sampled]), 0)
            return NonFinite(step, "gradient", layer, float(losses[at]))
        before = float(losses[at - 1]) if at else member.last_finite_loss
        if step not in origins:
            origins[step] = self.stack.origins(step)
        weights, activations = (flags[row] for flags in origins[step])
        for layer, (bad_weights, bad_activations) in enumerate(zip(weights, activations, strict=True)):
            if bad_weights or bad_activations:
                return NonFinite(step, "weights" if bad_weights else "activations", layer, before)
        return NonFinite(step, "loss", None, before)

    def _judged(
        self, told: dict[int, Records], due: list[int], sums: dict[str, FloatArray]
    ) -> dict[int, Records]:
        """Add the evaluations that are due, and what follows from them."""
        found = {row: self._evaluation(row, sums) for row in due}
        best = np.zeros(len(self.members), np.bool_)
        restored = np.zeros(len(self.members), np.bool_)
        for row, seen in found.items():
            member = self.members[row]
            if isinstance(seen, NonFinite):
                member.ended = Ending.DIVERGED
                continue
            best[row] = member.follow(seen.step, seen.metrics["val_loss"])
            stopping = member.stopping
            restored[row] = stopping is not None and member.ended and stopping.best_step != seen.step
        if best.any():
            self.stack.keep_best(best)
        if restored.any():
            self.stack.restore_best(restored)
            ranks = any(self._looks(int(row)).takes_rank(self.stack.step) for row in np.flatnonzero(restored))
            sums = self.stack.evaluate(ranks=ranks)
            found |= {int(row): self._restored(int(row), sums) for row in np.flatnonzero(restored)}
        for row, seen in found.items():
            ended = self.members[row].ended
            if isinstance(seen, NonFinite):
                told[row] = replace(told[row], nonfinite=seen, ended=ended)
            else:
                judged = seen if ended is None else self._tested(row, seen)
                told[row] = replace(told[row], evaluations=(judged,), ended=ended)
        return told

    def _tested(self, row: int, seen: Evaluation) -> Evaluation:
        """Add the scores on the test rows, where there are some, of a member that has ended."""
        examples, network = self._shared.examples, self.stack.network
        if examples.problem.x_test is None:
            return seen
        model, download = network.model, self._shared.backend.download
        model.parameters[:], model.running[:] = (
            download(network.parameters[row]),
            download(network.running[row]),
        )
        tested = final_scores(model, examples.head.head, examples.problem)
        return replace(seen, metrics={**seen.metrics, **tested})

    def _restored(self, row: int, sums: dict[str, FloatArray]) -> Evaluation | NonFinite:
        best, stopping = self._evaluation(row, sums, is_last=True), self.members[row].stopping
        if isinstance(best, NonFinite) or stopping is None:
            return best
        return replace(best, restored_step=stopping.best_step)

    def _evaluation(
        self, row: int, sums: dict[str, FloatArray], *, is_last: bool = False
    ) -> Evaluation | NonFinite:
        """Form a member's evaluation, unless its weights are not finite any more."""
        step, member = self.stack.step, self.members[row]
        for name, quantity in (("weights", "weights"), ("statistics", "activations")):
            if name in sums and not sums[name][row].all():
                layer = _first(sums[name][row] == 0.0, 0)
                return NonFinite(step, quantity, layer, member.last_finite_loss)
        can_die, scale = self._shared.can_die, self._shared.scale
        named = {name: values[row] for name, values in sums.items()}
        judged, unknown = scale.judged(named), np.where(can_die, 0.0, np.nan)
        dead, zero, dormant, mixed = (
            np.array([named[f"{share}/{index}"][0] for index in range(len(can_die))], np.float64)
            for share in ("dead", "zero", "dormant", "mixed")
        )
        looks = self._looks(row)
        if not (looks.is_due(step) or is_last):
            none = np.full(len(can_die), np.nan)
            epoch = step // self._shared.steps_per_epoch
            return Evaluation(step, epoch, judged.metrics, none, none, scale.rows, is_brief=True)
        products = named.get("products") if looks.takes_rank(step) else None
        camera = self._shared.examples.camera if looks.takes_snapshot(step) or is_last else None
        return Evaluation(
            step=step,
            epoch=step // self._shared.steps_per_epoch,
            metrics=judged.metrics,
            dead_share=dead + unknown,
            zero_share=zero + unknown,
            rows=scale.rows,
            dormant_share=dormant,
            mixed_share=mixed,
            effective_rank=None if products is None else effective_rank(products),
            predicted=judged.predicted,
            recall=judged.recall,
            answer_variance=judged.answer_variance,
            snapshot=None if camera is None else camera.take_of(named["parameters"], named["running"]),
        )

    def _looks(self, row: int) -> Looks:
        """Tell which of a member's evaluations look into units and answers."""
        shared, member = self._shared, self.members[row]
        work = work_of_a_step(len(self.stack.network.model.parameters), member.config.batch_size)
        return Looks(member.steps, shared.steps_per_epoch, shared.validate_every, work)

    def checkpoint(self, member: Member) -> tuple[dict[str, Any], Arrays]:
        """Give what a member's further run depends on, under the names of the reference."""
        row, sampler, backend = self.members.index(member), self.stack.sampler, self._shared.backend
        counters = {
            "step": self.stack.step,
            "due": sampler.due,
            "burst_steps": sampler.steps,
            "burst_rows": sampler.rows,
            **member.counters(),
        }
        arrays = self.stack.arrays().items()
        return counters, {name: backend.download(array[row]) for name, array in arrays if member.keeps(name)}

    def restore(self, kept: Sequence[Checkpoint]) -> None:
        """Go on from checkpoints of all members, at the same step.

        Raises:
            CheckpointError: for arrays of another network.
        """
        arrays = self.stack.arrays()
        rows: list[Arrays] = []
        for member, checkpoint in zip(self.members, kept, strict=True):
            found = {name: np.zeros(array.shape[1:], array.dtype) for name, array in arrays.items()}
            fill({name: array for name, array in found.items() if member.keeps(name)}, checkpoint.arrays)
            rows.append(found)
        for name, array in arrays.items():
            array[...] = self._shared.backend.upload(np.stack([row[name] for row in rows]))
        self._set_position({**kept[0].counters})

    def narrowed(self) -> Cohort:
        """Leave out the members that have ended, if they are at least half of all."""
        live = [row for row, member in enumerate(self.members) if member.is_live]
        if 2 * len(live) > len(self.members) or not live:
            return self
        narrow = Cohort(self._shared, [self.members[row] for row in live])
        xp, chosen, old = (
            self._shared.backend.xp,
            self._shared.backend.upload(np.array(live)),
            self.stack.arrays(),
        )
        for name, array in narrow.stack.arrays().items():
            array[...] = xp.take(old[name], chosen, axis=0)
        sampler = self.stack.sampler
        position = {"step": self.stack.step, "due": sampler.due}
        narrow._set_position(position | {"burst_steps": sampler.steps, "burst_rows": sampler.rows})
        narrow._pace = self._pace
        return narrow

    def _set_position(self, counters: dict[str, Any]) -> None:
        self.stack.step, sampler = counters["step"], self.stack.sampler
        sampler.due, sampler.steps, sampler.rows = (counters[k] for k in ("due", "burst_steps", "burst_rows"))


def _first(flags: Any, missing: int) -> int:
    """Give the first place that is set, or ``missing``."""
    places = np.flatnonzero(flags)
    return int(places[0]) if len(places) else missing
