"""Sweeps under disturbances, from the first submission until all has come to rest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.services.chaos.disturbances import FREEZE, Chaos
from tests.services.chaos.records import Record
from tests.services.chaos.sites import Site, await_answer
from tests.services.chaos.verdict import faults, stored, tell

LOOK = 1.0  # seconds between two questions how the runs stand
RESTED_WITHIN = 420.0  # seconds after the last disturbance
OVER = {"finished", "failed", "cancelled"}


@dataclass
class Storm:
    """Keeps an installation at work on one sweep after the other while it is disturbed.

    Args:
        sweep: what is submitted.
        kills: how many there are at least.
    """

    site: Site
    chaos: Chaos
    sweep: Mapping[str, Any]
    kills: int
    sweep_ids: list[int] = field(default_factory=list)
    retried: int = 0
    began: float = field(default_factory=time.monotonic)

    def rage(self) -> None:
        """Disturb until there were enough kills, then wait until all runs are over and all parts are back."""
        tell(self.site.api, "watch")
        self._submit()
        while self.chaos.kills < self.kills:
            self._pass(self.chaos.tend)
            if self._is_over():
                self._submit()
        self.chaos.say("no more disturbances")
        deadline = time.monotonic() + RESTED_WITHIN
        while not (self.chaos.is_settled() and self._is_over()):
            assert time.monotonic() < deadline, f"not at rest after {RESTED_WITHIN} s: {self._standing()}"
            self._pass(self.chaos.settle)

    def verify(self, undisturbed: Sequence[Record]) -> None:
        """Look whether every run of every sweep ended as the undisturbed one did."""
        found = stored(self.site.api, self.sweep_ids)
        wrong = [fault for records in found for fault in faults(records, undisturbed)]
        self.chaos.say(self._summary(found, len(wrong)))
        assert not wrong, "\n".join(fault[:500] for fault in wrong[:40])

    def story(self) -> str:
        """What a failing test has to tell."""
        return "\n".join([f"NNLAB_TEST_SEED={self.chaos.seed}", *self.chaos.log, self.site.logs()])

    def _summary(self, found: Sequence[Sequence[Record]], wrong: int) -> str:
        histories = [record.attempts for records in found for record in records]
        attempts = [len(history) for history in histories]
        resumed = sum(attempt["began_after"] > 0 for history in histories for attempt in history)
        series = sum(len(record.result.series) for records in found for record in records)
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.chaos.done.most_common())
        return (
            f"{self.chaos.kills} kills and {self.chaos.done[FREEZE]} freezes ({kinds});"
            f" {len(attempts)} runs in {len(found)} sweeps took {sum(attempts)} attempts, {max(attempts)} at"
            f" most, {resumed} from checkpoints, {self.retried} runs were put back by hand;"
            f" {wrong} faults in {series} series; {time.monotonic() - self.began:.0f} s"
        )

    def _pass(self, tend: Any) -> None:
        """Let the disturbances go on for a moment."""
        until = time.monotonic() + LOOK
        while time.monotonic() < until:
            tend()
            time.sleep(0.05)

    def _submit(self) -> None:
        """Submit the sweep once web server and database are there."""
        while not self._has_database():
            self._pass(self.chaos.settle)
        await_answer(self.site)
        answer = self.site.api.request("POST", "sweeps", dict(self.sweep))
        self.sweep_ids.append(answer["id"])
        self.chaos.say(f"sweep {answer['id']} submitted: runs {answer['runs'][0]} to {answer['runs'][-1]}")

    def _is_over(self) -> bool:
        """Whether all runs are over; those that lost too many workers are put back, as a person would do."""
        runs = self._runs()
        given_up = [run["id"] for run in runs if run["stop_reason"] == "worker lost"]
        if given_up and self._has_database():
            self.chaos.say(f"runs {given_up} lost their workers too often and are put back")
            self.retried += len(given_up)
            tell(self.site.api, "requeue", *map(str, given_up))
            return False
        return bool(runs) and all(run["status"] in OVER for run in runs)

    def _standing(self) -> dict[int, str]:
        return {run["id"]: run["status"] for run in self._runs() if run["status"] not in OVER}

    def _runs(self) -> list[dict[str, Any]]:
        """The runs of the newest sweep; none where nobody answers."""
        try:
            answer = self.site.api.request("GET", f"runs?sweep={self.sweep_ids[-1]}&limit=1000")
        except (OSError, ValueError):
            return []
        return list(answer.get("runs", ()))

    def _has_database(self) -> bool:
        return self.site.database is None or self.site.database.is_running()
