"""Takes the records of one run to the server, in order and once, and says what the server made of them."""

from __future__ import annotations

import json
import logging
from typing import Any

from nnlab.client.backlog import Backlog
from nnlab.client.connection import Answer, Connection
from nnlab.client.errors import RefusedError
from nnlab.client.spool import Kind, Record, Spool

logger = logging.getLogger("nnlab.client")

REMEDIES = {
    400: "the server cannot read how the run begins",
    401: "the server does not know the token; make one with `nnlab token` and set NNLAB_TOKEN",
    403: "the token in NNLAB_TOKEN is wrong, or its user may not log runs",
    404: "the server has no such run, or is no nnlab",
    409: "the server takes no more of this run",
    422: "the server refuses the run as it was started",
}
_VERBS = {Kind.CONFIG: "config", Kind.END: "end", Kind.LINES: "log-lines"}
PASSING = frozenset({401, 403})  # an administrator can mend these while the program runs


class Delivery:
    """One run's way to its server.

    Args:
        facts: what identifies the run: ``writer`` and either ``start`` (the body that starts it) or ``id``.
        spool: keeps the facts that are learnt; None where there is no folder.
    """

    def __init__(
        self, facts: dict[str, Any], backlog: Backlog, connection: Connection, spool: Spool | None
    ) -> None:
        self.backlog = backlog
        self._facts = facts
        self._connection = connection
        self._spool = spool
        self.stop_requested = False  # somebody wants the program to end

    @property
    def run_id(self) -> int | None:
        """The run's number on the server; None until the server gave one."""
        found = self._facts.get("id")
        return found if isinstance(found, int) else None

    @property
    def url(self) -> str | None:
        """The run's page."""
        return None if self.run_id is None else f"{self._connection.url}/r/{self.run_id}/"

    @property
    def place(self) -> str:
        """Where records wait, for people."""
        return "memory" if self._spool is None else str(self._spool.folder)

    def open(self) -> None:
        """Start the run on the server, or continue it; only once.

        Raises:
            AwayError: if there is no answer.
            RefusedError: if the server will not have the run.
        """
        if self._facts.get("opened"):
            return
        if self.run_id is None:
            answer = self._connection.post("runs", self._facts["start"])
            if answer.accepted and isinstance(answer.payload, dict):
                self._facts["id"] = answer.payload.get("id")
        else:
            answer = self._connection.post(f"runs/{self.run_id}/resume", self._facts["resume"])
        if not answer.accepted or self.run_id is None:
            raise _refused(answer)
        self._facts["opened"] = True
        self._keep_facts()

    def send_next(self) -> bool:
        """Send the first record that waits; False where none does.

        Raises:
            AwayError: if there is no answer.
            RefusedError: if the server takes nothing more.
        """
        self.open()
        record = self.backlog.head()
        if record is not None:
            self._send(record)
        return record is not None

    def beat(self) -> None:
        """Say that the program is alive though it logs nothing.

        Raises:
            AwayError: if there is no answer.
            RefusedError: if the run is over.
        """
        answer = self._connection.post(f"runs/{self.run_id}/beat", {})
        if not answer.accepted:
            raise _refused(answer)
        self._listen(answer)

    def let_go(self) -> None:
        """Close what a fork has inherited; the process that it came from goes on with it."""
        self._connection.close()
        if self._spool is not None:
            self._spool.close()

    def close(self) -> None:
        """Hang up; leave the folder if something is in it, else remove it."""
        self._connection.close()
        if self._spool is None:
            return
        if len(self.backlog) or self._spool.refused():
            self._spool.close()
        else:
            self._spool.remove()

    def _send(self, record: Record) -> None:
        answer = self._post(record)
        over = record.kind is Kind.END and answer.status == 409  # its answer was lost, or a person was faster
        if answer.accepted or over:
            self.backlog.done(record.number)
            self._listen(answer)
        elif answer.status == 413 and self.backlog.split():
            logger.info("the server takes smaller batches only: %s", answer.reason)
        elif answer.status in {400, 413, 422}:
            self._drop(record, answer.reason)
        else:
            raise _refused(answer)

    def _post(self, record: Record) -> Answer:
        run = f"runs/{self.run_id}"
        if record.kind is Kind.POINTS:
            thinned = f"&thinned={record.thinned}" if record.thinned else ""
            path = f"{run}/columns?writer={self._facts['writer']}&batch={record.number}{thinned}"
            return self._connection.post_bytes(path, record.payload)
        return self._connection.post(f"{run}/{_VERBS[record.kind]}", json.loads(record.payload))

    def _listen(self, answer: Answer) -> None:
        """Hear whether the run's owner wants the program to end; the program decides."""
        wanted = isinstance(answer.payload, dict) and answer.payload.get("stop") is True
        if wanted and not self.stop_requested:
            self.stop_requested = True
            logger.warning("run %s is asked to stop, as its program sees in stop_requested", self.run_id)

    def _drop(self, record: Record, reason: str) -> None:
        """Put what the server will never take where a person can look at it."""
        kept = "and it is lost, for there is no folder"
        if self._spool is not None:
            try:
                kept = f"kept in {self._spool.refuse(record, reason)}"
            except OSError as error:
                kept = f"and it is lost, for it cannot be written: {error}"
        logger.warning("the server refuses a batch of run %s, %s: %s", self.run_id, kept, reason)
        self.backlog.done(record.number)

    def _keep_facts(self) -> None:
        if self._spool is None:
            return
        try:
            self._spool.note(**self._facts)
        except OSError as error:
            logger.warning("cannot keep the run's number in %s: %s", self._spool.folder, error)


def _refused(answer: Answer) -> RefusedError:
    remedy = REMEDIES.get(answer.status, "the server does not speak as nnlab does; is the address right?")
    return RefusedError(f"{remedy} ({answer.reason})", final=answer.status not in PASSING)
